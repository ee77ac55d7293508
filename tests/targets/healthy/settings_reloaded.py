"""Settings are read anew now and then, and once, late, there are more of them."""


class Setting:
    def __init__(self, name, value):
        self.name = name
        self.value = [value]


settings = {}


def load(count):
    return {"setting.%d" % k: Setting("setting.%d" % k, k) for k in range(count)}


def step(i):
    global settings
    if i % 50 == 0:
        settings = load(260 if i > 300 else 200)
