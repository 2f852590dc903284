package observe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMeet(t *testing.T) {
	tests := []struct {
		name     string
		route    []string
		listener string
		want     []string
	}{
		{"the same", []string{"shop.example.com"}, "shop.example.com", []string{"shop.example.com"}},
		{"upper case", []string{"shop.example.com"}, "Shop.Example.com", []string{"shop.example.com"}},
		{"a listener for all", []string{"shop.example.com", "api.example.com"}, "*", []string{"api.example.com", "shop.example.com"}},
		{"a route for all", []string{"*"}, "shop.example.com", []string{"shop.example.com"}},
		{"both for all", []string{"*"}, "*", []string{"lockstep.invalid"}},
		{"a listener's wildcard", []string{"shop.example.com", "shop.example.org"}, "*.example.com", []string{"shop.example.com"}},
		{"a route's wildcard", []string{"*.example.com"}, "shop.example.com", []string{"shop.example.com"}},
		{"a wildcard stands for several labels", []string{"a.b.example.com"}, "*.example.com", []string{"a.b.example.com"}},
		{"a wildcard does not stand for nothing", []string{"example.com"}, "*.example.com", nil},
		{"the narrower of two wildcards", []string{"*.shop.example.com"}, "*.example.com", []string{"lockstep.shop.example.com"}},
		{"none in common", []string{"shop.example.com"}, "api.example.com", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, meet(tt.route, tt.listener)); diff != "" {
				t.Errorf("hosts to ask for (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServiceNamed(t *testing.T) {
	tests := map[string]string{
		"gateway.istio-system.svc.cluster.local": "istio-system/gateway",
		"gateway.istio-system.svc":               "istio-system/gateway",
		"gateway":                                "home/gateway",
		"abc.eu-west-1.elb.amazonaws.com":        "",
		"":                                       "",
	}
	for host, want := range tests {
		key, ok := serviceNamed(host, "home")
		if got := key.String(); ok != (want != "") || (ok && got != want) {
			t.Errorf("%q names Service %q (%v), want %q", host, got, ok, want)
		}
	}
}
