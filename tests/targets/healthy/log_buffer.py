"""Log records gather until there are sixty, then they are written and gone."""
import io
import logging
import logging.handlers

stream = io.StringIO()
log = logging.getLogger("service")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.handlers.MemoryHandler(60, logging.CRITICAL, logging.StreamHandler(stream)))


def step(i):
    log.info("request %d took %d ms", i, i * 31 % 97)
    if stream.tell() > 1000:
        stream.seek(0)
        stream.truncate()
