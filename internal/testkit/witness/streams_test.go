package witness

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const end = `{"end":true}` + "\n"

// streams answers requests well, and streams with the given lines.
func streams(after func(*http.Request), lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			answers(http.StatusOK, old)(w, r)
			return
		}
		for _, line := range lines {
			_, _ = w.Write([]byte(line))
			_ = http.NewResponseController(w).Flush()
		}
		after(r)
	}
}

func comesToAnEnd(*http.Request) {}

func breaks(*http.Request) { panic(http.ErrAbortHandler) }

func fallsSilent(r *http.Request) { <-r.Context().Done() }

func watchStreams(t *testing.T, handler http.HandlerFunc, seen func(Report) bool) Report {
	t.Helper()
	g := newGateway(t, handler)
	opts := g.options()
	opts.QPS, opts.Streams, opts.Timeout = 20, 2, 300*time.Millisecond
	w := Start(t.Context(), opts)
	until(t, w, seen)
	return w.Stop()
}

func TestStreamsThatEndAreNotCut(t *testing.T) {
	r := watchStreams(t, streams(comesToAnEnd, old, old, end), func(r Report) bool { return r.Ended >= 3 })
	if r.Cut != 0 || r.Failed != 0 || r.Mixed != 0 || r.Lines != 2*r.Streams {
		t.Errorf("%+v", r)
	}
}

func TestStreamsThatStopEarlyAreCut(t *testing.T) {
	for name, after := range map[string]func(*http.Request){
		"closed": comesToAnEnd, "broken off": breaks, "silent": fallsSilent,
	} {
		t.Run(name, func(t *testing.T) {
			r := watchStreams(t, streams(after, old), func(r Report) bool { return r.Cut >= 3 })
			if r.Ended != 0 || r.Failed != 0 || len(r.Failures) == 0 || !strings.Contains(r.Failures[0], "stream cut") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestHangingUpCutsNothing(t *testing.T) {
	steady := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			streams(comesToAnEnd, old)(w, r)
			if r.URL.Path != "/stream" {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	r := watchStreams(t, steady, func(r Report) bool { return r.Streams == 2 && r.Lines > 10 })
	if r.Cut != 0 || r.Failed != 0 || r.Ended != 0 {
		t.Errorf("%+v", r)
	}
}

func TestEveryLineOfAStreamIsJudged(t *testing.T) {
	bad := `{"served":[` + hop("frontend", "r1", "blue") + `],"error":"cart: gone"}` + "\n"
	r := watchStreams(t, streams(comesToAnEnd, old, both, bad, end), func(r Report) bool { return r.Ended >= 2 })
	if r.Mixed < r.Ended || r.Failed < r.Ended || r.Cut != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAStreamThatIsRefusedIsAFailure(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			answers(http.StatusServiceUnavailable, "")(w, r)
			return
		}
		answers(http.StatusOK, old)(w, r)
	}
	r := watchStreams(t, handler, func(r Report) bool { return r.Failed >= 2 })
	if r.Streams != 0 || r.Cut != 0 || !strings.Contains(r.Failures[0], "stream not opened") {
		t.Errorf("%+v", r)
	}
}

func TestAStreamCountsForTheReleaseFromItsStart(t *testing.T) {
	only := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			streams(fallsSilent, fresh)(w, r)
			return
		}
		answers(http.StatusOK, old)(w, r)
	}
	r := watchStreams(t, only, func(r Report) bool { return r.Releases["r2"].Last.After(r.Started) })
	if seen := r.Releases["r2"]; seen.Count != 0 || seen.First.IsZero() {
		t.Errorf("%+v", seen)
	}
}
