"""A history of linked versions that is cut after sixty."""


class Version:
    def __init__(self, text, before):
        self.text = text
        self.before = before


latest = None


def step(i):
    global latest
    latest = Version("text %d" % i, latest)
    version = latest
    for _ in range(60):
        version = version.before
        if version is None:
            return
    version.before = None
