// Package process runs a member of the shop as a well-behaved process of a
// pod: probes, a graceful stop, and faults that tests ask for.
package process

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	defaultAddress = ":8080"
	// readHeaderTimeout is longer than a gateway keeps a connection that it does not use: Envoy's idle_timeout is an hour. A
	// gateway may open one and send its first request much later; a server that hangs up just then makes a 503 of it.
	readHeaderTimeout = 2 * time.Hour
	// shutdownTimeout stays below the 30 s that a pod is given, so that the process ends by itself.
	shutdownTimeout = 25 * time.Second
)

// Work is what a process does beside answering, until its context ends.
type Work func(context.Context)

// Main serves handlers, and the probes beside them, and does the work until
// SIGTERM. It returns once what was in flight is finished, and exits with 1 on an error.
//
// The environment can ask for faults: CRASH=true exits at once,
// START_DELAY=5s waits before it does anything, FAIL_READY=true is never
// ready. ADDRESS moves the listener, and STOP_DELAY goes on serving for that
// long, no longer ready, before it stops.
func Main(handlers *http.ServeMux, work ...Work) {
	settings, err := settingsFrom(os.Getenv)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		err = run(ctx, settings, handlers, work)
	}
	if err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

var errCrash = errors.New("CRASH=true asks for it")

func run(ctx context.Context, s settings, handlers *http.ServeMux, work []Work) error {
	if s.crash {
		return errCrash
	}
	if !pause(ctx, s.startDelay) {
		return nil
	}
	var working sync.WaitGroup
	for _, do := range work {
		working.Go(func() { do(ctx) })
	}
	defer working.Wait()
	return serve(ctx, s, handlers)
}

func serve(ctx context.Context, s settings, handlers *http.ServeMux) error {
	var ready atomic.Bool
	ready.Store(!s.failReady)
	addProbes(handlers, &ready)
	server := newServer(s.address, handlers)
	stopped := make(chan error, 1)
	go func() { stopped <- shutdownAfter(ctx, server, &ready, s.stopDelay) }()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func newServer(address string, handlers http.Handler) *http.Server {
	return &http.Server{Addr: address, Handler: handlers, ReadHeaderTimeout: readHeaderTimeout}
}

func shutdownAfter(ctx context.Context, server *http.Server, ready *atomic.Bool, delay time.Duration) error {
	<-ctx.Done()
	ready.Store(false)
	time.Sleep(delay)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}

func addProbes(mux *http.ServeMux, ready *atomic.Bool) {
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})
}

// pause waits, and tells whether it could do so to the end.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}
