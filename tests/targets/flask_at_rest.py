"""A Flask server that has answered a few requests and stands at rest.

Prints READY after the last answer, then waits for the end of stdin.  Needs Flask.
"""
import sys
import threading
import urllib.request

from flask import Flask, jsonify, render_template_string, request, session
from werkzeug.serving import make_server

app = Flask(__name__)
app.secret_key = "only for a test"


class Counter:
    def __init__(self):
        self.seen = 0


counter = Counter()


@app.route("/")
def index():
    counter.seen += 1
    session["seen"] = counter.seen
    return render_template_string("{% for i in range(3) %}<p>{{ i }} {{ name }}</p>{% endfor %}", name="world")


@app.route("/json", methods=["GET", "POST"])
def answer():
    return jsonify(args=dict(request.args), seen=counter.seen)


@app.errorhandler(404)
def missing(error):
    return "no such page", 404


def main():
    import logging
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for path in ("/", "/json?a=1", "/", "/json", "/nowhere") * 5:
        try:
            urllib.request.urlopen("http://127.0.0.1:%d%s" % (server.server_port, path)).read()
        except urllib.error.HTTPError:
            pass
    print("READY", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
