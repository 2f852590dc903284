package selftest

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/launch"
)

//go:embed workload.yaml
var workload string

func (t *test) deploy() error {
	file := filepath.Join(t.work, "workload.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(workload, "IMAGE", artifact.EchoImage)), 0o644); err != nil {
		return err
	}
	if _, err := t.kubectl("apply", "-f", file); err != nil {
		return err
	}
	_, err := t.kubectl("rollout", "status", "--timeout=60s", "-n", "selftest", "deployment/echo")
	return err
}

// dns runs in the container, so that this tries exec as well.
func (t *test) dns() error {
	out, err := t.kubectl("exec", "-n", "selftest", "deployment/echo", "--", "/echo", "lookup", "git.git-system")
	if err != nil {
		return err
	}
	return wantText(out, "10.96.0.81")
}

func (t *test) logs() error {
	out, err := t.kubectl("logs", "-n", "selftest", "deployment/echo")
	if err != nil {
		return err
	}
	return wantText(out, "listening on :8080")
}

func (t *test) answers(host string) func() error {
	return func() error {
		return within(10*time.Second, func() error { return ask(t.env["LOCKSTEP_GATEWAY"], host) })
	}
}

func ask(address, host string) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return askWith(&client, address, host)
}

func askWith(client *http.Client, address, host string) error {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	request.Host = host
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return wantText(fmt.Sprintf("%d %s", answer.StatusCode, body), "200 hello from selftest")
}

// restartGateways replaces every gateway Pod under a bounded load and wants no
// request to fail, on connections that are kept as well as on new ones.
func (t *test) restartGateways() error {
	var over atomic.Bool
	kept := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	failed := make(chan error, 2)
	go func() {
		failed <- t.repeat(&over, func() error { return ask(t.env["LOCKSTEP_GATEWAY"], "virtualservice.example") })
	}()
	go func() {
		failed <- t.repeat(&over, func() error { return askWith(kept, t.env["LOCKSTEP_GATEWAY"], "httproute.example") })
	}()
	_, err := t.kubectl("rollout", "restart", "-n", "istio-system", "deployment/istio-ingressgateway")
	if err == nil {
		_, err = t.kubectl("rollout", "status", "--timeout=90s", "-n", "istio-system", "deployment/istio-ingressgateway")
	}
	time.Sleep(10 * time.Second) // the last Pod of the old ones still drains
	over.Store(true)
	for range 2 {
		if e := <-failed; err == nil {
			err = e
		}
	}
	return err
}

// repeat asks about 50 times a second, at most 6000 times.
func (t *test) repeat(over *atomic.Bool, ask func() error) error {
	for i := 0; i < 6000 && !over.Load(); i++ {
		if err := ask(); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

func (t *test) missingImage() error {
	if _, err := t.kubectl("run", "-n", "selftest", "nowhere", "--image=lockstep.local/nowhere:1", "--restart=Never"); err != nil {
		return err
	}
	return within(10*time.Second, func() error {
		out, err := t.kubectl("get", "pod", "-n", "selftest", "nowhere", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
		if err != nil {
			return err
		}
		return wantText(out, "ImagePull")
	})
}

func (t *test) load() error {
	bundle, err := t.store.All()
	if err != nil {
		return err
	}
	return launch.Load(t.dir, bundle.Images[0])
}
