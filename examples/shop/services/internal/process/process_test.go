package process

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestCrash(t *testing.T) {
	if err := run(t.Context(), settings{crash: true}, http.NewServeMux(), nil); !errors.Is(err, errCrash) {
		t.Fatalf("got %v", err)
	}
}

func TestStartDelayComesBeforeWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		work := func(context.Context) { t.Error("worked during the delay") }
		if err := run(ctx, settings{startDelay: 5 * time.Second}, http.NewServeMux(), []Work{work}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWrongDurationIsAnError(t *testing.T) {
	if _, err := settingsFrom(func(string) string { return "soon" }); err == nil {
		t.Fatal("no error")
	}
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		stop()
		time.Sleep(100 * time.Millisecond)
		w.WriteHeader(http.StatusTeapot)
	})
	address := freeAddress(t)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, settings{address: address}, mux, nil) }()
	if status := statusOf(t, address, "/readyz"); status != http.StatusOK {
		t.Fatalf("readyz: %d", status)
	}
	if status := statusOf(t, address, "/slow"); status != http.StatusTeapot {
		t.Fatalf("slow: %d", status)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestFailReadyIsAliveButNotReady(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	address := freeAddress(t)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, settings{address: address, failReady: true}, http.NewServeMux(), nil) }()
	if status := statusOf(t, address, "/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	if status := statusOf(t, address, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// statusOf asks until somebody listens.
func statusOf(t *testing.T, address, path string) int {
	t.Helper()
	var lastErr error
	for range 200 {
		resp, err := http.Get("http://" + address + path)
		if err == nil {
			resp.Body.Close()
			return resp.StatusCode
		}
		lastErr = err
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(lastErr)
	return 0
}
