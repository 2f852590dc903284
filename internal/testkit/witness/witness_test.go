package witness

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const limit = 20 * time.Second

func hop(member, release, slot string) string {
	return fmt.Sprintf(`{"member":%q,"version":"1","release":%q,"slot":%q}`, member, release, slot)
}

func body(hops ...string) string {
	return fmt.Sprintf(`{"served":[%s]}`+"\n", strings.Join(hops, ","))
}

var (
	old   = body(hop("frontend", "r1", "blue"), hop("cart", "r1", "blue"))
	fresh = body(hop("frontend", "r2", "green"), hop("cart", "r2", "green"))
	both  = body(hop("frontend", "r2", "green"), hop("cart", "r1", "blue"))
)

// gateway answers with what it is set to.
type gateway struct {
	*httptest.Server
	handler atomic.Value
	asked   atomic.Int64
}

func newGateway(t *testing.T, handler http.HandlerFunc) *gateway {
	t.Helper()
	g := &gateway{}
	g.handler.Store(handler)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		g.handler.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) options() Options {
	return Options{Target: g.Listener.Addr().String(), QPS: 200, MaxDuration: limit}
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// until polls the witness for something to have been seen.
func until(t *testing.T, w *Witness, seen func(Report) bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !seen(w.Snapshot()) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen: %+v", w.Snapshot())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestEveryRequestIsCounted(t *testing.T) {
	g := newGateway(t, answers(http.StatusOK, old))
	w := Start(t.Context(), g.options())
	until(t, w, func(r Report) bool { return r.Requests >= 40 })
	r := w.Stop()
	if r.Requests != g.asked.Load() || r.Releases["r1"].Count != r.Requests {
		t.Errorf("%d counted, %d for r1, %d asked", r.Requests, r.Releases["r1"].Count, g.asked.Load())
	}
	if r.Failed != 0 || r.Mixed != 0 || r.Retried != 0 {
		t.Errorf("all was well, but: %+v", r)
	}
	if r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("p50 %s, p99 %s", r.P50, r.P99)
	}
	if again := w.Stop(); again.Requests != r.Requests {
		t.Errorf("%d requests after the stop", again.Requests-r.Requests)
	}
}

func TestFailures(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status":     answers(http.StatusServiceUnavailable, old),
		"redirect":   http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP,
		"not JSON":   answers(http.StatusOK, "<html>"),
		"nobody":     answers(http.StatusOK, `{"served":[]}`),
		"an error":   answers(http.StatusOK, `{"served":[`+hop("frontend", "r1", "blue")+`],"error":"cart: gone"}`),
		"broken off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, handler)
			w := Start(t.Context(), g.options())
			until(t, w, func(r Report) bool { return r.Failed >= 30 })
			r := w.Stop()
			if r.Failed != r.Requests || len(r.Failures) != maxSamples {
				t.Errorf("%d of %d failed, %d samples", r.Failed, r.Requests, len(r.Failures))
			}
		})
	}
}

func TestSilenceIsAFailure(t *testing.T) {
	over := make(chan struct{})
	g := newGateway(t, func(http.ResponseWriter, *http.Request) { <-over })
	defer close(over)
	opts := g.options()
	opts.Timeout = 50 * time.Millisecond
	w := Start(t.Context(), opts)
	until(t, w, func(r Report) bool { return r.Failed > 0 })
	if r := w.Stop(); r.Failed != r.Requests {
		t.Errorf("%d of %d failed", r.Failed, r.Requests)
	}
}

func TestOnlyTheFailedOneIsCounted(t *testing.T) {
	var n atomic.Int64
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 10 {
			answers(http.StatusBadGateway, "upstream gone")(w, r)
			return
		}
		answers(http.StatusOK, old)(w, r)
	})
	w := Start(t.Context(), g.options())
	until(t, w, func(r Report) bool { return r.Requests > 20 })
	r := w.Stop()
	if r.Failed != 1 || len(r.Failures) != 1 || !strings.Contains(r.Failures[0], `status 502: status 502: "upstream gone"`) {
		t.Errorf("%d failed: %q", r.Failed, r.Failures)
	}
}

func TestMixed(t *testing.T) {
	apart := func(member string) string { return member }
	for name, test := range map[string]struct {
		body   string
		unitOf func(string) string
		want   bool
	}{
		"one release":          {body: old},
		"two releases":         {body: both, want: true},
		"deep in the chain":    {body: body(hop("a", "r1", "blue"), hop("b", "r1", "blue"), hop("c", "r2", "blue")), want: true},
		"two slots":            {body: body(hop("a", "r1", "blue"), hop("b", "r1", "green")), want: true},
		"a stamp missing":      {body: body(hop("a", "r1", "blue"), hop("b", "", "")), want: true},
		"units of their own":   {body: both, unitOf: apart},
		"one member, twice":    {body: body(hop("a", "r1", "blue"), hop("a", "r2", "blue")), unitOf: apart, want: true},
		"two versions, nobody": {body: `{"served":[{"member":"a","version":"1"},{"member":"a","version":"2"}]}`, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, answers(http.StatusOK, test.body))
			opts := g.options()
			opts.UnitOf = test.unitOf
			w := Start(t.Context(), opts)
			until(t, w, func(r Report) bool { return r.Requests >= 5 })
			r := w.Stop()
			if want := map[bool]int64{true: r.Requests}[test.want]; r.Mixed != want {
				t.Errorf("%d of %d mixed, want %d", r.Mixed, r.Requests, want)
			}
			if r.Failed != 0 {
				t.Errorf("mixed is not failed, but: %q", r.Failures)
			}
		})
	}
}

// The gateway remembers when the last request came that it sent to the old release.
func TestSwitchLatencyIsThatOfTheLastRequestToTheOldRelease(t *testing.T) {
	var lastOld atomic.Value
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		came := time.Now()
		time.Sleep(20 * time.Millisecond)
		lastOld.Store(came)
		answers(http.StatusOK, old)(w, r)
	})
	opts := g.options()
	opts.Connections = 1
	w := Start(t.Context(), opts)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := w.WaitFor(ctx, "r1"); err != nil {
		t.Fatal(err)
	}
	switched := time.Now()
	time.Sleep(100 * time.Millisecond)
	g.handler.Store(answers(http.StatusOK, fresh))
	if err := w.WaitFor(ctx, "r2"); err != nil {
		t.Fatal(err)
	}
	r := w.Stop()
	began := lastOld.Load().(time.Time).Sub(w.LastSeen("r1"))
	if began < 0 || began > 15*time.Millisecond {
		t.Errorf("the gateway met the last old request %s after its start", began)
	}
	if latency := r.SwitchLatency("r1", switched); latency < 50*time.Millisecond || latency > time.Second {
		t.Errorf("switch latency %s", latency)
	}
	if !r.Releases["r2"].First.After(r.Releases["r1"].Last) {
		t.Error("the new release was first seen before the old one was last seen")
	}
}

func TestWaitForIsNotSatisfiedByThePast(t *testing.T) {
	g := newGateway(t, answers(http.StatusOK, old))
	w := Start(t.Context(), g.options())
	until(t, w, func(r Report) bool { return r.Releases["r1"].Count > 0 })
	g.handler.Store(answers(http.StatusOK, fresh))
	until(t, w, func(r Report) bool { return r.Releases["r2"].Count > 10 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if w.WaitFor(ctx, "r1") == nil {
		t.Error("r1 serves nothing any more")
	}
	w.Stop()
}

func TestHostHeaderAndCookiesAreAUsers(t *testing.T) {
	var unpinned atomic.Int64
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("pin"); err != nil {
			unpinned.Add(1)
		}
		http.SetCookie(w, &http.Cookie{Name: "pin", Value: "r1", Domain: "shop.example.com", Path: "/"})
		status := http.StatusOK
		if r.Host != "shop.example.com" || r.Header.Get("x-preview") != "true" {
			status = http.StatusNotFound
		}
		answers(status, old)(w, r)
	})
	opts := g.options()
	opts.Host, opts.Cookies, opts.Header = "shop.example.com", true, http.Header{"X-Preview": {"true"}}
	w := Start(t.Context(), opts)
	until(t, w, func(r Report) bool { return r.Requests >= 20 })
	if r := w.Stop(); r.Failed != 0 || unpinned.Load() != 4 {
		t.Errorf("%d failed, %d without a cookie for 4 workers", r.Failed, unpinned.Load())
	}
}

func TestSomeUsersKeepTheirConnectionAndSomeDoNot(t *testing.T) {
	connections := make(chan string, 1000)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		connections <- r.RemoteAddr
		answers(http.StatusOK, old)(w, r)
	})
	w := Start(t.Context(), g.options())
	until(t, w, func(r Report) bool { return r.Requests >= 80 })
	r := w.Stop()
	close(connections)
	distinct := map[string]bool{}
	for address := range connections {
		distinct[address] = true
	}
	if n := int64(len(distinct)); n < r.Requests/8 || n > r.Requests/2 {
		t.Errorf("%d connections for %d requests of which a quarter should have its own", n, r.Requests)
	}
}

func TestTrafficEndsWithItsContext(t *testing.T) {
	g := newGateway(t, answers(http.StatusOK, old))
	ctx, cancel := context.WithCancel(t.Context())
	w := Start(ctx, g.options())
	until(t, w, func(r Report) bool { return r.Requests > 0 })
	cancel()
	w.running.Wait()
}

func TestStringIsALine(t *testing.T) {
	r := Report{Requests: 12345, Cut: 2, Releases: map[string]ReleaseReport{"abc": {Rate: 200}, "gone": {}}}
	if got, want := r.String(), "12,345 requests, 0 failed, 0 mixed, 2 cut; release abc: 200/s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRateIsThatOfTheLastSeconds(t *testing.T) {
	var r rate
	start := time.Unix(1000, 0)
	for i := range 40 {
		r.hit(start.Add(time.Duration(i) * 250 * time.Millisecond))
	}
	if got := r.perSecond(start.Add(10 * time.Second)); got != 4 {
		t.Errorf("%g per second, want 4", got)
	}
	if got := r.perSecond(start.Add(20 * time.Second)); got != 0 {
		t.Errorf("%g per second after it ended", got)
	}
}

func TestARequestInFlightDoesNotSatisfyWaitFor(t *testing.T) {
	r := newRecorder(func(string) string { return "" })
	called := time.Now()
	served := r.served("r1", called)
	by := answer{Served: []Hop{{Member: "frontend", Release: "r1"}}}
	r.request(outcome{start: called.Add(-time.Millisecond), answer: by})
	select {
	case <-served:
		t.Fatal("that request began before the call")
	default:
	}
	r.request(outcome{start: called.Add(time.Millisecond), answer: by})
	<-served
}
