package process

import (
	"bufio"
	"context"
	"errors"
	"io"
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

func TestAConnectionMayWaitForItsFirstRequest(t *testing.T) {
	const envoyKeepsIt = time.Hour
	synctest.Test(t, func(t *testing.T) {
		gateway, accepted := net.Pipe()
		handlers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		server := newServer("", handlers)
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(&oneConnection{accepted: accepted, closed: make(chan struct{})}) }()
		for range 2 {
			time.Sleep(envoyKeepsIt)
			if status, err := exchange(gateway); err != nil || status != http.StatusTeapot {
				t.Errorf("after an hour: %d, %v", status, err)
			}
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func exchange(over net.Conn) (int, error) {
	if _, err := io.WriteString(over, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(over), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// oneConnection is a listener that accepts one connection, and then waits until it is closed.
type oneConnection struct {
	accepted net.Conn
	closed   chan struct{}
}

func (l *oneConnection) Accept() (net.Conn, error) {
	if c := l.accepted; c != nil {
		l.accepted = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConnection) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConnection) Addr() net.Addr { return &net.UnixAddr{} }

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
