"""An issuer of OpenID Connect and a trust domain of SPIFFE, with PyJWT. Writes what it has issued to DIR/issuer.json, good
tokens and bad ones, and the trust domain's bundle to DIR/bundle.json; then serves its keys."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

directory = sys.argv[1]
NOW = int(time.time())

KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FORM = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def jwks(use):
    keys = []
    for alg, key in KEYS.items():
        jwk = json.loads(FORM[alg].to_jwk(key.public_key()))
        keys.append({**jwk, "kid": f"key-{alg}", "use": use})
    return {"keys": keys}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = f"http://127.0.0.1:{self.server.server_port}"
        document = {
            "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/keys"},
            "/keys": jwks("sig"),
        }.get(self.path)
        body = json.dumps(document).encode()
        self.send_response(200 if document else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
URL = f"http://127.0.0.1:{server.server_port}"


def claims(**changes):
    all_of_them = {"iss": URL, "aud": "lockgate", "sub": "support-v1", "iat": NOW, "exp": NOW + 600, **changes}
    return {name: value for name, value in all_of_them.items() if value is not None}


def svid(**changes):
    return claims(**{"iss": None, "aud": ["lockgate"], "sub": "spiffe://example.org/ns/agents/sa/support-v1", **changes})


def token(payload, alg="RS256", key=None, **headers):
    return jwt.encode(payload, key or KEYS[alg], algorithm=alg, headers={"kid": f"key-{alg}", **headers})


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header, payload, sign):
    text = f"{b64(json.dumps(header).encode())}.{b64(payload.encode())}"
    return f"{text}.{b64(sign(text.encode()))}"


PEM = KEYS["RS256"].public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
good = {f"oidc {alg}": token(claims(), alg) for alg in KEYS}
good |= {f"svid {alg}": token(svid(), alg) for alg in ("RS256", "ES256")}
good |= {
    "several audiences": token(claims(aud=["other", "lockgate"])),
    "a pointer that nobody follows": token(claims(), jku=f"{URL}/evil", x5u=f"{URL}/evil"),
    "an access token": token(claims(), typ="at+jwt"),
    "typ JOSE": token(svid(), typ="JOSE"),
    "begun": token(claims(nbf=NOW - 5)),
}
twice = json.dumps(claims())[:-1] + ', "sub": "support-v1"}'
ours = json.dumps({"keys": [json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key()))]})
bad = {
    "none": jwt.encode(claims(), None, algorithm="none", headers={"kid": "key-RS256"}),
    "HS256 with the public key": by_hand(
        {"alg": "HS256", "kid": "key-RS256"}, json.dumps(claims()), lambda text: hmac.new(PEM, text, hashlib.sha256).digest()
    ),
    "another key of this name": token(claims(), key=STRANGER),
    "its own key": token(claims(), key=STRANGER, jwk=json.loads(ours)["keys"][0]),
    "PS256": token(claims(), "PS256", KEYS["RS256"], kid="key-RS256"),
    "RS512": token(claims(), "RS512", KEYS["RS256"], kid="key-RS256"),
    "a key of another kind": token(claims(), "ES256", kid="key-RS256"),
    "a path for a key": token(claims(), kid="../../keys/identity.key"),
    "for somebody else": token(claims(aud="other")),
    "for nobody": token(claims(aud=None)),
    "expired": token(claims(exp=NOW - 120)),
    "for ever": token(claims(exp=None)),
    "not begun": token(claims(nbf=NOW + 600)),
    "from the future": token(claims(iat=NOW + 600)),
    "without a date": token(claims(iat=None)),
    "another issuer": token(claims(iss="https://evil.example")),
    "no issuer": token(claims(iss=None)),
    "nobody": token(claims(sub="support-v9")),
    "critical": token(claims(), crit=["exp"]),
    "claims twice": by_hand(
        {"alg": "EdDSA", "kid": "key-EdDSA"}, twice, lambda text: KEYS["EdDSA"].sign(text)
    ),
    "a token in a token": by_hand(
        {"alg": "EdDSA", "kid": "key-EdDSA", "cty": "JWT"}, token(claims()), lambda text: KEYS["EdDSA"].sign(text)
    ),
    "svid EdDSA": token(svid(), "EdDSA"),
    "svid of another domain": token(svid(sub="spiffe://other.org/ns/agents/sa/support-v1")),
    "svid of a wildcard": token(svid(sub="spiffe://*/ns/agents/sa/support-v1")),
    "svid for nobody": token(svid(aud=None)),
    "svid for ever": token(svid(exp=None)),
    "svid of another type": token(svid(), typ="at+jwt"),
}

with open(os.path.join(directory, "bundle.json"), "w") as bundle:
    json.dump({**jwks("jwt-svid"), "spiffe_sequence": 1, "spiffe_refresh_hint": 300}, bundle)
with open(os.path.join(directory, "issuer.part"), "w") as told:
    json.dump({"url": URL, "good": good, "bad": bad}, told)
os.rename(os.path.join(directory, "issuer.part"), os.path.join(directory, "issuer.json"))
server.serve_forever()
