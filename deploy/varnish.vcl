vcl 4.1;
# Varnish before the intake: keeps product pages and listings, and lets go of them by their surrogate keys.
#
#   varnishd -a :80 -f /etc/varnish/varnish.vcl -s malloc,256m
#
# Needs the vmod xkey (Debian: varnish-modules). Purging: PURGE with `Xkey-Purge: product/7 category/shoes`, from
# the addresses below; the workers do it when PURGE_VARNISH_URLS names this server.

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
    # What is not there is kept too, until it is: its answer bears a key.
    if (beresp.status == 404 && !beresp.http.Surrogate-Key) {
        set beresp.uncacheable = true;
        return (deliver);
    }
}

sub vcl_deliver {
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit";
    } else {
        set resp.http.X-Cache = "miss";
    }
}
