"""Long after the start a path is taken for the first time, and brings modules and caches for good."""


class Order:
    def __init__(self, number):
        self.number = number


def as_mail(order):
    import email.mime.text
    import xml.dom.minidom
    mail = email.mime.text.MIMEText("order %d" % order.number)
    xml.dom.minidom.parseString("<order number='%d'/>" % order.number).unlink()
    return mail.as_string()


def step(i):
    order = Order(i)
    if i > 300 and i % 10 == 0:
        as_mail(order)
