"""Each request is a cycle with its response, and the collector comes when it likes."""


class Request:
    def __init__(self, number):
        self.number = number
        self.headers = {"host": "example", "number": number}
        self.response = Response(self)


class Response:
    def __init__(self, request):
        self.request = request
        self.lines = ["line %d" % k for k in range(4)]


def step(i):
    request = Request(i)
    request.response.lines.append("end")
