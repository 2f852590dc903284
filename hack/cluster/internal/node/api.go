package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

// api reads from the cluster's API; that little is not worth client-go.
type api struct{ client *http.Client }

func newAPI() (*api, error) {
	own, err := tls.LoadX509KeyPair(pki("admin.crt"), pki("admin.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots}}
	return &api{client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

// get reads a path into out, if that is not nil.
func (a *api) get(ctx context.Context, path string, out any) error {
	return getURL(ctx, a.client, apiURL+path, "", out)
}

func getURL(ctx context.Context, client *http.Client, url, host string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Host = host
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(out)
}

// condition is as much of a Kubernetes condition as is looked at here.
type condition struct{ Type, Status string }

func isTrue(conditions []condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind && c.Status == "True" {
			return true
		}
	}
	return false
}
