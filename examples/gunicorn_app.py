"""The smallest application for gunicorn.conf: WSGI, without a framework."""
import os


def app(environ, start_response):
    body = "hello, %s\nprocess %d\n" % (environ["REMOTE_ADDR"], os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]
