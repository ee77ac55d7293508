"""A Flask shop: sessions, JSON, templates, a database, uploads, errors, a log.

Prints READY and its port, then serves on loopback until it is ended.  Needs Flask.
"""
import logging
import logging.handlers
import os
import sqlite3
import sys
import tempfile

from flask import Blueprint, Flask, abort, flash, g, jsonify, redirect, render_template_string, request, session, url_for
from werkzeug.serving import make_server

FOLDER = tempfile.mkdtemp()
PAGE = """<title>{{ title }}</title>{% for m in get_flashed_messages() %}<b>{{ m }}</b>{% endfor %}
<ul>{% for row in rows %}<li><a href="{{ url_for('shop.item', number=row['number']) }}">{{ row['name']|upper }}</a></li>
{% else %}<li>nothing</li>{% endfor %}</ul><p>{{ session.get('seen', 0) }}</p>"""

shop = Blueprint("shop", __name__)


def db():
    if "db" not in g:
        g.db = sqlite3.connect(os.path.join(FOLDER, "shop.db"))
        g.db.row_factory = sqlite3.Row
    return g.db


@shop.route("/")
def index():
    session["seen"] = session.get("seen", 0) + 1
    rows = db().execute("select * from items order by number limit 20").fetchall()
    return render_template_string(PAGE, title="shop", rows=rows)


@shop.route("/item/<int:number>")
def item(number):
    row = db().execute("select * from items where number = ?", (number,)).fetchone()
    if row is None:
        abort(404)
    return render_template_string(PAGE, title=row["name"], rows=[row])


@shop.route("/search")
def search():
    words = "%" + request.args.get("q", "") + "%"
    rows = db().execute("select * from items where name like ? limit 10", (words,)).fetchall()
    return jsonify(q=request.args.get("q"), found=[dict(r) for r in rows])


@shop.route("/order", methods=["POST"])
def order():
    body = request.get_json(silent=True) or request.form.to_dict()
    number = int(body["number"])
    session["basket"] = session.get("basket", [])[-4:] + [number]
    with db():
        db().execute("insert into orders (item) values (?)", (number,))
    flash("thank you for %d" % number)
    logging.getLogger("shop").info("ordered %d", number)
    return redirect(url_for("shop.index"))


@shop.route("/upload", methods=["POST"])
def upload():
    data = request.get_data()
    return jsonify(size=len(data), kind=request.content_type)


@shop.route("/broken")
def broken():
    data = bytearray(5000)
    raise RuntimeError("broken with %d bytes" % len(data))


def close(error):
    connection = g.pop("db", None)
    if connection is not None:
        connection.close()


def main():
    os.mkdir(os.path.join(FOLDER, "static"))
    with open(os.path.join(FOLDER, "static", "site.css"), "w") as css:
        css.write("body { color: black }\n" * 200)
    with sqlite3.connect(os.path.join(FOLDER, "shop.db")) as made:
        made.execute("create table items (number integer primary key, name text)")
        made.execute("create table orders (number integer primary key, item integer)")
        made.executemany("insert into items values (?, ?)", [(n, "item %d" % n) for n in range(500)])
    made.close()
    handler = logging.handlers.RotatingFileHandler(os.path.join(FOLDER, "log"), maxBytes=20000, backupCount=2)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    app = Flask(__name__, static_folder=os.path.join(FOLDER, "static"))
    app.secret_key = "only for a test"
    app.register_blueprint(shop)
    app.teardown_appcontext(close)
    app.register_error_handler(404, lambda error: ("no such page", 404))
    app.register_error_handler(500, lambda error: ("something broke", 500))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print("READY", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
