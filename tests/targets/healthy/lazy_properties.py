"""A hundred and fifty products know their description from when it was first asked for."""


class Product:
    def __init__(self, number):
        self.number = number
        self._description = None

    @property
    def description(self):
        if self._description is None:
            self._description = Description(self.number)
        return self._description


class Description:
    def __init__(self, number):
        self.words = ["product", "number", str(number)]


products = [Product(number) for number in range(150)]


def step(i):
    assert products[i % len(products)].description
