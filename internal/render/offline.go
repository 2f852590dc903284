package render

import (
	"errors"
	"net/http"
)

var errOffline = errors.New("nothing is fetched while a release is rendered")

// offline answers every request of this process that goes through Go's own transport, as Kustomize's do, with a refusal.
// Kustomize also fetches what only becomes a URL while it builds, in the configuration of a generator or a transformer;
// and not every kernel gives the child a network of its own.
type offline struct{}

// RoundTrip implements http.RoundTripper.
func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, errOffline }
