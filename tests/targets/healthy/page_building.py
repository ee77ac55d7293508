"""Pages are put together from thousands of strings, which are gone when the page is."""
import io
import json

last = None


def page(number):
    out = io.StringIO()
    for k in range(300):
        out.write("<li>%s</li>" % json.dumps({"number": number, "line": k}))
    return out.getvalue() + "".join("%d" % k for k in range(200))


def step(i):
    global last
    last = page(i)
