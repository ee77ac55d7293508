"""Each part of the program has its logger, made when the part is first used; there are sixty."""
import logging


def step(i):
    logging.getLogger("service.part%d" % (i % 60 if i < 100 else i % 40)).debug("step %d", i)
