"""How the bodies of uploads are described in the OpenAPI document: FastAPI does not read them itself."""

_ACCESS = {"type": "array", "items": {"type": "string", "format": "uuid"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "external_id": {"type": "string"},
            "title": {"type": "string"},
            "metadata": {"type": "string", "description": "A JSON object."},
            "access": {"type": "string", "description": "Ids of members and groups, with commas."},
        },
    }
}
_JSON = {
    "schema": {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "url": {"type": "string"},
            "external_id": {"type": "string"},
            "title": {"type": "string"},
            "metadata": {"type": "object"},
            "access": _ACCESS,
        },
    },
    "examples": {
        "text": {
            "value": {
                "text": "The warranty lasts 24 months.",
                "external_id": "warranty",
                "metadata": {"year": 2026},
            }
        },
        "url": {"value": {"url": "https://example.com/report.pdf"}},
    },
}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _FORM,
            "application/json": _JSON,
            "text/plain": {"schema": {"type": "string"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
BATCH = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["text"],
                        "additionalProperties": False,
                        "properties": {
                            "text": {"type": "string", "minLength": 1},
                            "external_id": {"type": "string"},
                            "title": {"type": "string"},
                            "metadata": {"type": "object"},
                            "access": _ACCESS,
                        },
                    },
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}
