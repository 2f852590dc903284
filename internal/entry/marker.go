package entry

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ParseMarker reads the epoch from what a gateway answered at MarkerPath. It reports false where the answer is not the
// marker's: the route is not in force there, or an application has answered.
func ParseMarker(s Spec, statusCode int, header http.Header, body string) (int64, bool) {
	if s.Entry.VirtualService != nil {
		if statusCode != http.StatusOK {
			return 0, false
		}
		return epochIn(strings.TrimSpace(body))
	}
	if statusCode != http.StatusFound {
		return 0, false
	}
	location, err := url.Parse(header.Get("Location"))
	if err != nil {
		return 0, false
	}
	return epochOf(s, location.Hostname())
}

// epochIn reads the body of a VirtualService's marker.
func epochIn(body string) (int64, bool) {
	digits, ok := strings.CutPrefix(body, markerBody)
	if !ok {
		return 0, false
	}
	return parseEpoch(digits)
}

// epochOf reads the hostname of an HTTPRoute's marker.
func epochOf(s Spec, host string) (int64, bool) {
	rest, ok := strings.CutSuffix(host, "."+s.markerHost())
	digits, numbered := strings.CutPrefix(rest, "e")
	if !ok || !numbered {
		return 0, false
	}
	return parseEpoch(digits)
}

func parseEpoch(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n >= 0
}
