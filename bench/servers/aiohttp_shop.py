"""An aiohttp shop: sessions in memory with an end, JSON, a database in threads, background work, errors, a log.

Prints READY and its port, then serves on loopback until it is ended.  Needs aiohttp.
"""
import asyncio
import collections
import contextvars
import json
import logging
import logging.handlers
import os
import sqlite3
import string
import sys
import tempfile
import uuid

from aiohttp import web

FOLDER = tempfile.mkdtemp()
PAGE = string.Template("<title>$title</title><ul>$rows</ul><p>$seen</p>")
request_id = contextvars.ContextVar("request_id", default="-")
log = logging.getLogger("shop")


class Sessions:
    """The last thirty."""

    def __init__(self):
        self.known = collections.OrderedDict()

    def of(self, request):
        key = request.cookies.get("session") or uuid.uuid4().hex
        found = self.known.setdefault(key, {"seen": 0, "basket": []})
        self.known.move_to_end(key)
        if len(self.known) > 30:
            self.known.popitem(last=False)
        return key, found


def query(statement, *values):
    connection = sqlite3.connect(os.path.join(FOLDER, "shop.db"))
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


async def rows(statement, *values):
    loop = asyncio.get_running_loop()
    return await asyncio.wait_for(loop.run_in_executor(None, query, statement, *values), 30)


@web.middleware
async def around(request, handler):
    token = request_id.set(uuid.uuid4().hex)
    key, request["session"] = request.app["sessions"].of(request)
    try:
        response = await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("request %s failed", request_id.get())
        response = web.Response(text="something broke", status=500)
    finally:
        request_id.reset(token)
    if not response.prepared:
        response.set_cookie("session", key)
    return response


async def index(request):
    request["session"]["seen"] += 1
    found = await rows("select number, name from items order by number limit 20")
    lines = "".join("<li>%d %s</li>" % row for row in found)
    return web.Response(text=PAGE.substitute(title="shop", rows=lines, seen=request["session"]["seen"]),
                        content_type="text/html")


async def item(request):
    found = await rows("select number, name from items where number = ?", int(request.match_info["number"]))
    if not found:
        raise web.HTTPNotFound()
    return web.Response(text=PAGE.substitute(title=found[0][1], rows="", seen=0), content_type="text/html")


async def search(request):
    words = request.query.get("q", "")
    one, two = await asyncio.gather(rows("select name from items where name like ? limit 10", "%" + words + "%"),
                                    rows("select count(*) from orders"))
    return web.json_response({"q": words, "found": one, "orders": two})


async def order(request):
    body = await request.json() if "json" in request.content_type else await request.post()
    number = int(body["number"])
    request["session"]["basket"] = request["session"]["basket"][-4:] + [number]
    await request.app["work"].put({"order": number, "by": request_id.get()})
    raise web.HTTPFound("/")


async def upload(request):
    size = 0
    async for chunk in request.content.iter_chunked(4096):
        size += len(chunk)
    return web.json_response({"size": size})


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for k in range(5):
        await response.write(json.dumps({"line": k}).encode() + b"\n")
        await asyncio.sleep(0)
    await response.write_eof()
    return response


async def broken(request):
    data = bytearray(5000)
    raise RuntimeError("broken with %d bytes" % len(data))


async def background(app):
    while True:
        work = await app["work"].get()
        await rows("insert into orders (item) values (?)", work["order"])
        log.info("ordered %d", work["order"])
        app["work"].task_done()


async def prepare(app):
    app["work"] = asyncio.Queue(100)
    app["background"] = [asyncio.ensure_future(background(app)) for _ in range(2)]


def fill():
    with sqlite3.connect(os.path.join(FOLDER, "shop.db")) as made:
        made.execute("create table items (number integer primary key, name text)")
        made.execute("create table orders (number integer primary key, item integer)")
        made.executemany("insert into items values (?, ?)", [(n, "item %d" % n) for n in range(500)])
    made.close()
    os.mkdir(os.path.join(FOLDER, "static"))
    with open(os.path.join(FOLDER, "static", "site.css"), "w") as css:
        css.write("body { color: black }\n" * 200)


async def main():
    fill()
    handler = logging.handlers.RotatingFileHandler(os.path.join(FOLDER, "log"), maxBytes=20000, backupCount=2)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    app = web.Application(middlewares=[around])
    app["sessions"] = Sessions()
    app.on_startup.append(prepare)
    app.add_routes([web.get("/", index), web.get("/item/{number:[0-9]+}", item), web.get("/search", search),
                    web.post("/order", order), web.post("/upload", upload), web.get("/stream", stream),
                    web.get("/broken", broken), web.static("/static", os.path.join(FOLDER, "static"))])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("READY", site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
