"""A small Django site: models in SQLite's memory, templates, a form, requests by the test client."""
import datetime
import decimal
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="not secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {
                    "list.html": "{% extends 'base.html' %}{% block body %}{% for o in orders %}<li>{{ o.day|date:'j F' }} "
                                 "{{ o.customer.name|upper }}: {% if o.paid %}{{ o.total|floatformat:2 }}{% else %}–{% endif %}"
                                 "{% endfor %}{% endblock %}",
                    "base.html": "<title>{{ title|default:'orders' }}</title>{% block body %}{% endblock %}"})]}}],
)
django.setup()

from django import forms  # noqa: E402
from django.core.paginator import Paginator  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


class Customer(models.Model):
    name = models.CharField(max_length=80, unique=True)
    since = models.DateTimeField(null=True)

    class Meta:
        app_label = "shop"


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    day = models.DateField(db_index=True)
    total = models.DecimalField(max_digits=9, decimal_places=2)
    paid = models.BooleanField(default=False)
    extra = models.JSONField(default=dict)

    class Meta:
        app_label = "shop"
        ordering = ["day"]


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["customer", "day", "total", "paid"]


def listing(request):
    orders = Order.objects.select_related("customer").filter(total__gt=3)
    page = Paginator(orders, 25).get_page(request.GET.get("page", 1))
    return render(request, "list.html", {"orders": page, "title": "page %s" % page.number})


def totals(request):
    rows = Order.objects.values("customer__name").annotate(n=models.Count("id"), sum=models.Sum("total"))
    return JsonResponse({"rows": list(rows)})


def fails(request):
    raise decimal.InvalidOperation("no such sum")


urlpatterns = [path("", listing), path("totals/<int:year>/", lambda request, year: totals(request)), path("fails/", fails)]


def work():
    with connection.schema_editor() as editor:
        for model in (Customer, Order):
            editor.create_model(model)
    from django.contrib.sessions.models import Session
    with connection.schema_editor() as editor:
        editor.create_model(Session)
    day = datetime.date(2024, 1, 1)
    with transaction.atomic():
        for number in range(60):
            customer = Customer.objects.create(name="customer %d" % number)
            Order.objects.bulk_create([
                Order(customer=customer, day=day + datetime.timedelta(n), total=decimal.Decimal(n) / 3, extra={"n": [n]})
                for n in range(8)])
    client = Client(raise_request_exception=False)
    for number in range(20):
        assert client.get("/", {"page": number}).status_code == 200
        assert client.get("/totals/2024/").json()["rows"]
        assert client.get("/absent/").status_code == 404
        assert client.get("/fails/").status_code == 500
    form = OrderForm({"customer": "1", "day": "2024-02-30", "total": "x"})
    assert not form.is_valid() and form.as_p()
    Order.objects.filter(day__year=2024, customer__name__startswith="customer 1").update(paid=True)
    kept["orders"] = list(Order.objects.prefetch_related("customer__orders")[:100])
    kept["client"] = client


kept = {}
sys.modules.setdefault("shop", sys.modules[__name__])
