// Command gateway runs Envoy and lets it drain before it ends, as the agent of
// Istio's own proxy does: Envoy by itself cuts every connection at SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

const (
	drainURL = "http://127.0.0.1:15000/drain_listeners?graceful&skip_exit"
	// Longer than kube-proxy takes to send new connections elsewhere, and than
	// the `--drain-time-s` in which Envoy tells its clients to reconnect.
	drainFor = 7 * time.Second
)

func main() {
	envoy := exec.Command("/envoy", os.Args[1:]...)
	envoy.Stdout, envoy.Stderr = os.Stdout, os.Stderr
	if err := envoy.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
	go drainOnSignal(envoy.Process)
	os.Exit(exitCode(envoy.Wait()))
}

func drainOnSignal(envoy *os.Process) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	<-ctx.Done()
	if err := drain(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway: cannot drain:", err)
	}
	time.Sleep(drainFor)
	_ = envoy.Signal(syscall.SIGTERM)
}

func drain() error {
	client := http.Client{Timeout: time.Second}
	answer, err := client.Post(drainURL, "", nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return 1
	}
	return 0
}
