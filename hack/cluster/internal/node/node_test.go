package node

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestMasked(t *testing.T) {
	for dir, want := range map[string]bool{
		"/run/user/0/lockstep-local": true, "/var/tmp/x": true, "/var": true,
		"/variable": false, "/tmp/lockstep-local": false, "/root/.cache/lockstep": false,
	} {
		if got := isMasked(dir); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
}

func TestCertificatesAreTrustedAndNameTheirUser(t *testing.T) {
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	made, err := ca.issue("system:node:n", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(made.cert)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.parsed)
	for _, host := range []string{"127.0.0.1", nodeIP, "kubernetes.default.svc"} {
		if _, err := parsed.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if parsed.Subject.CommonName != "system:node:n" || parsed.Subject.Organization[0] != "system:nodes" {
		t.Errorf("subject %v", parsed.Subject)
	}
}

func TestEveryFlagIsAWordOfItsOwn(t *testing.T) {
	for name, p := range programs() {
		for _, arg := range p.args {
			if strings.ContainsAny(arg, " \t\n") {
				t.Errorf("%s: %q", name, arg)
			}
		}
	}
}
