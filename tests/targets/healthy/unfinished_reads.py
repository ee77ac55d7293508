"""Several uploads at the same time, each a list of parts that grows until the upload is done."""


class Upload:
    def __init__(self, number):
        self.number = number
        self.parts = []


uploads = {}
stored = 0


def step(i):
    global stored
    for lane in range(6):
        upload = uploads.setdefault(lane, Upload(i))
        upload.parts.append(bytearray(100))
        if len(upload.parts) >= 23 + lane * 7:
            stored += len(uploads.pop(lane).parts)
