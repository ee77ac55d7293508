"""Modules are imported one by one when they are first wanted, until all are there."""
import importlib

NAMES = """abc argparse ast base64 bdb bisect calendar cmd code codecs codeop colorsys configparser contextlib copy
copyreg csv dataclasses datetime decimal difflib dis doctest email.message email.mime.text email.parser enum filecmp
fileinput fnmatch fractions ftplib functools getopt getpass gettext glob gzip hashlib heapq hmac html.parser
http.client http.cookies http.server imaplib inspect io ipaddress json keyword linecache locale logging.config
logging.handlers lzma mailbox mimetypes netrc numbers opcode operator optparse pathlib pdb pickle pickletools pkgutil
platform plistlib poplib pprint profile pstats pydoc queue quopri random reprlib sched secrets selectors shelve shlex
shutil site smtplib socketserver sqlite3 ssl statistics string stringprep struct subprocess symtable tabnanny tarfile
tempfile textwrap timeit token tokenize trace traceback tracemalloc types typing unittest unittest.mock urllib.parse
urllib.request urllib.robotparser uuid wave weakref webbrowser wsgiref.simple_server xml.dom.minidom
xml.etree.ElementTree xml.sax xmlrpc.client zipapp zipfile""".split()


def step(i):
    if i < len(NAMES):
        importlib.import_module(NAMES[i])
