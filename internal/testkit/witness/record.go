package witness

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"fortio.org/fortio/stats"
)

const (
	// maxSamples bounds how many failures, and how many mixed answers, are kept in words.
	maxSamples = 20
	maxExcerpt = 200
	resolution = 0.0001
)

// recorder counts. All of its methods may be called from any goroutine.
type recorder struct {
	unitOf func(string) string

	mu        sync.Mutex
	counts    Report
	releases  map[string]*sighting
	latencies *stats.Histogram
	waiting   []waiter
}

// sighting is what is known of one release.
type sighting struct {
	ReleaseReport
	recent rate
}

type waiter struct {
	release string
	after   time.Time
	served  chan struct{}
}

func newRecorder(unitOf func(string) string) *recorder {
	return &recorder{
		unitOf:    unitOf,
		counts:    Report{Started: time.Now()},
		releases:  map[string]*sighting{},
		latencies: stats.NewHistogram(0, resolution),
	}
}

func (r *recorder) request(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Requests++
	if o.attempts > 1 {
		r.counts.Retried++
	}
	r.latencies.Record(o.latency.Seconds())
	for _, release := range identities(o.answer.Served) {
		seen := r.saw(release, o.start)
		seen.Count++
		seen.recent.hit(o.start)
	}
	r.judge(o)
}

func (r *recorder) line(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Lines++
	for _, release := range identities(o.answer.Served) {
		r.saw(release, o.start)
	}
	r.judge(o)
}

func (r *recorder) streamOpened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Streams++
}

func (r *recorder) streamEnded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Ended++
}

func (r *recorder) streamRefused(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judge(o)
}

func (r *recorder) streamCut(start time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Cut++
	r.sampleFailure(outcome{start: start, err: fmt.Errorf("stream cut: %w", err)})
}

// judge counts what is wrong with an outcome.
func (r *recorder) judge(o outcome) {
	if o.err != nil {
		r.counts.Failed++
		r.sampleFailure(o)
	}
	if mixed(o.answer.Served, r.unitOf) {
		r.counts.Mixed++
		r.counts.MixedSamples = sample(r.counts.MixedSamples, fmt.Sprintf("%s %v", stamp(o.start), o.answer.Served))
	}
}

func (r *recorder) sampleFailure(o outcome) {
	excerpt := strings.ToValidUTF8(string(o.body[:min(len(o.body), maxExcerpt)]), "?")
	text := fmt.Sprintf("%s after %s: status %d: %v: %q", stamp(o.start), time.Since(o.start).Round(time.Millisecond), o.status, o.err, excerpt)
	r.counts.Failures = sample(r.counts.Failures, text)
}

// saw widens the time in which the release was seen. Requests end in another order than they begin in.
func (r *recorder) saw(release string, start time.Time) *sighting {
	seen, ok := r.releases[release]
	if !ok {
		seen = &sighting{ReleaseReport: ReleaseReport{First: start, Last: start}}
		r.releases[release] = seen
	}
	if start.Before(seen.First) {
		seen.First = start
	}
	if start.After(seen.Last) {
		seen.Last = start
	}
	r.tell(release, start)
	return seen
}

// served returns a channel that is closed once the release has served something that began after the given time.
func (r *recorder) served(release string, after time.Time) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := waiter{release: release, after: after, served: make(chan struct{})}
	r.waiting = append(r.waiting, w)
	return w.served
}

func (r *recorder) tell(release string, start time.Time) {
	var still []waiter
	for _, w := range r.waiting {
		if w.release == release && start.After(w.after) {
			close(w.served)
		} else {
			still = append(still, w)
		}
	}
	r.waiting = still
}

func stamp(t time.Time) string { return t.Format("15:04:05.000") }

func sample(samples []string, text string) []string {
	if len(samples) == maxSamples {
		return samples
	}
	return append(samples, text)
}
