package controller

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// CountWrites counts requests that write, whoever they are made as: wrap the transport of the config that every client is
// made from.
func CountWrites(next http.RoundTripper) http.RoundTripper {
	return &writeCounter{next: next, count: shared().writes}
}

type writeCounter struct {
	next  http.RoundTripper
	count *prometheus.CounterVec
}

// RoundTrip passes the request on, and counts it by what came of it.
func (w *writeCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if verb := writeVerb(r); verb != "" {
		group, resource := resourceOf(r.URL.Path)
		dry := "false"
		if r.URL.Query().Get("dryRun") != "" {
			dry = "true"
		}
		w.count.WithLabelValues(verb, group, resource, dry, resultOf(answer, err)).Inc()
	}
	return answer, err
}

// writeVerb is the API's word for a request that writes; empty for others.
func writeVerb(r *http.Request) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodDelete:
		return "delete"
	case http.MethodPatch:
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch") {
			return "apply"
		}
		return "patch"
	}
	return ""
}

// resultOf takes a conflict apart from other refusals: it is how Lockstep finds out that it was late.
func resultOf(answer *http.Response, err error) string {
	switch {
	case err != nil:
		return "error"
	case answer.StatusCode < http.StatusBadRequest:
		return "ok"
	case answer.StatusCode == http.StatusConflict:
		return "conflict"
	case answer.StatusCode < http.StatusInternalServerError:
		return "refused"
	}
	return "error"
}

// resourceOf finds group and resource, with its subresource, in the path of a request: /api/v1/… or /apis/<group>/<version>/….
func resourceOf(path string) (group, resource string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return "", "other"
	}
	if parts[0] == "namespaces" && len(parts) > 2 && !isSubresourceOfNamespace(parts) {
		parts = parts[2:]
	}
	if len(parts) > 2 {
		return group, parts[0] + "/" + parts[2]
	}
	return group, parts[0]
}

// isSubresourceOfNamespace tells …/namespaces/<name>/status from …/namespaces/<name>/<resource>.
func isSubresourceOfNamespace(parts []string) bool {
	return len(parts) == 3 && (parts[2] == "status" || parts[2] == "finalize")
}
