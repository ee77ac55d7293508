"""A Django shop: sessions and users in a database, the ORM, templates, forms, static files, errors, a log.

Prints READY and its port, then serves on loopback until it is ended.  Needs Django.
"""
import os
import sys
import tempfile

import django
from django.conf import settings

FOLDER = tempfile.mkdtemp()
PAGE = """{% load static %}<title>{{ title }}</title><link href="{% static 'site.css' %}">
{% for message in messages %}<b>{{ message }}</b>{% endfor %}
<ul>{% for row in rows %}<li><a href="{% url 'item' row.pk %}">{{ row.name|upper }}</a> {{ row.maker.name }}</li>
{% empty %}<li>nothing</li>{% endfor %}</ul><p>{{ request.session.seen }}</p>{{ form }}"""
LOGGING = {
    "version": 1,
    "handlers": {"file": {"class": "logging.handlers.RotatingFileHandler", "filename": os.path.join(FOLDER, "log"),
                          "maxBytes": 20000, "backupCount": 2}},
    "root": {"handlers": ["file"], "level": "INFO"},
}

settings.configure(
    DEBUG=False, SECRET_KEY="only for a test", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(FOLDER, "shop.db")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "django.contrib.messages", "django.contrib.staticfiles"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
        "loaders": [("django.template.loaders.locmem.Loader", {"page.html": PAGE})],
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.messages.context_processors.messages"]}}],
    STATIC_URL="/static/", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, LOGGING=LOGGING)
django.setup()

import logging  # noqa: E402

from django import forms  # noqa: E402
from django.contrib import messages  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.shortcuts import get_object_or_404, redirect, render  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from django.views.static import serve  # noqa: E402


class Maker(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "shop"


class Item(models.Model):
    name = models.CharField(max_length=50)
    maker = models.ForeignKey(Maker, on_delete=models.CASCADE, related_name="items")
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "shop"


class OrderForm(forms.Form):
    number = forms.IntegerField(min_value=1)
    note = forms.CharField(max_length=100, required=False)


def index(request):
    request.session["seen"] = request.session.get("seen", 0) + 1
    rows = Item.objects.select_related("maker").order_by("pk")[:20]
    return render(request, "page.html", {"title": "shop", "rows": rows, "form": OrderForm()})


def item(request, number):
    row = get_object_or_404(Item, pk=number)
    seen = cache.get_or_set("seen-%d" % (number % 40), lambda: {"number": number}, 60)
    return render(request, "page.html", {"title": row.name, "rows": row.maker.items.all()[:5], "seen": seen})


def search(request):
    words = request.GET.get("q", "")
    found = Item.objects.filter(name__contains=words).values("pk", "name", "maker__name")[:10]
    counts = Item.objects.values_list("maker__name").annotate(many=models.Count("pk")).order_by()[:5]
    return JsonResponse({"q": words, "found": list(found), "counts": list(counts)})


def order(request):
    form = OrderForm(request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    number = form.cleaned_data["number"]
    request.session["basket"] = request.session.get("basket", [])[-4:] + [number]
    Item.objects.filter(pk=number).update(name="item %d" % number)
    messages.info(request, "thank you for %d" % number)
    logging.getLogger("shop").info("ordered %d", number)
    return redirect("index")


def upload(request):
    return JsonResponse({"size": len(request.body), "kind": request.content_type})


def broken(request):
    data = bytearray(5000)
    raise RuntimeError("broken with %d bytes" % len(data))


urlpatterns = [
    path("", index, name="index"), path("item/<int:number>", item, name="item"), path("search", search),
    path("order", order), path("upload", upload), path("broken", broken),
    re_path("^static/(?P<path>.*)$", serve, {"document_root": os.path.join(FOLDER, "static")}),
]


def fill():
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Maker)
        editor.create_model(Item)
    makers = [Maker.objects.create(name="maker %d" % n) for n in range(20)]
    Item.objects.bulk_create([Item(name="item %d" % n, maker=makers[n % 20]) for n in range(500)])
    os.mkdir(os.path.join(FOLDER, "static"))
    with open(os.path.join(FOLDER, "static", "site.css"), "w") as css:
        css.write("body { color: black }\n" * 200)


def main():
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application
    fill()
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    print("READY", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
