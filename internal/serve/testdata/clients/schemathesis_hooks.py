"""What schemathesis 4.32.5 gets wrong about forms, told through its hook."""

import json
from email.parser import BytesParser
from email.policy import HTTP

import schemathesis

TEXTS = {"model", "labels", "query", "question"}


def fits(name, part):
    """Whether a part, as it was sent, is what openapi.yaml's Form says; fields that it does not name are free."""
    payload = part.get_payload(decode=True)
    if part.get_filename() is not None:
        return name == "image"
    if name in TEXTS or name not in ("image", "threshold"):
        return "content-type" not in part  # any text is a text
    try:
        return name == "threshold" and isinstance(json.loads(payload), (int, float))
    except ValueError:
        return False


def sent_form_fits(response):
    """Whether all of a multipart/form-data request, as it was sent, fits."""
    kind = response.request.headers.get("Content-Type", "")
    body = response.request.body
    if not kind.startswith("multipart/form-data") or not isinstance(body, bytes):
        return False
    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = [(part.get_param("name", header="content-disposition"), part) for part in form.iter_parts()]
    return all(fits(name, part) for name, part in parts) and sum(name == "image" for name, _ in parts) <= 16


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Drops "schema-violating request accepted" where what arrived violates nothing.

    The negative tests turn a form's text into a number, a list or an object, and a form turns it back: every field of a form is
    text, and 0.0 or {} is a question as good as any. schemathesis knows that, and compares what it sent; but it reads a field that
    may be repeated (question) as one text, finds no list, and holds the form to be wrong. Only that is dropped: another check's
    failure, another place that was mutated, a file, a number or a count of pictures that is wrong stay failures.
    """
    mutated = {place.name for place, part in case.meta.components.items() if part.mode.is_negative} if case.meta else set()
    return not (type(failure).__name__ == "AcceptedNegativeData" and mutated == {"BODY"} and sent_form_fits(response))
