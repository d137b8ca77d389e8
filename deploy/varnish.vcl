vcl 4.1;
# Varnish before the intake: keeps product pages and listings, and lets go of them by their surrogate keys.
#
#   PURGE_VARNISH_KEY=... varnishd -a :80 -f /etc/varnish/varnish.vcl -s malloc,256m
#
# Needs the vmod xkey (Debian: varnish-modules). Purging: PURGE with `Xkey-Purge: product/7 category/shoes`, from
# the addresses below, and with `Purge-Key`, the value of PURGE_VARNISH_KEY in the environment of varnishd: whoever
# comes by a proxy on this machine has a local address, but no key. The workers do it when PURGE_VARNISH_URLS names this
# server and PURGE_VARNISH_KEY is the same. Without a key there nobody purges.

import std;
import xkey;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
}

acl purgers {
    "localhost";
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "not from here"));
        }
        if (std.getenv("PURGE_VARNISH_KEY") == "" || req.http.Purge-Key != std.getenv("PURGE_VARNISH_KEY")) {
            return (synth(403, "not without the key"));
        }
        if (!req.http.Xkey-Purge) {
            return (purge);
        }
        set req.http.n-gone = xkey.purge(req.http.Xkey-Purge);
        return (synth(200, "purged " + req.http.n-gone));
    }
    # Orders, rooms and ops are nobody's to keep.
    if ((req.method != "GET" && req.method != "HEAD") || req.url !~ "^/(products|search)(/|\?|$)") {
        return (pass);
    }
    # The catalogue is the same for everyone.
    unset req.http.Cookie;
    unset req.http.Authorization;
    set req.url = std.querysort(req.url);
    return (hash);
}

sub vcl_backend_response {
    if (beresp.http.Surrogate-Key) {
        set beresp.http.xkey = beresp.http.Surrogate-Key;
    }
    # What is not there is kept too, until it is: its answer bears a key, and says for how long it is a cache's alone.
    if (beresp.status == 404) {
        if (!beresp.http.Surrogate-Key || !beresp.http.Surrogate-Control) {
            set beresp.uncacheable = true;
            return (deliver);
        }
        set beresp.ttl = std.duration(regsub(beresp.http.Surrogate-Control, "^max-age=([0-9]+)$", "\1s"), 0s);
    }
}

sub vcl_deliver {
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    unset resp.http.Surrogate-Control;
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
}
