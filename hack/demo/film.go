package main

import (
	"sync"
	"time"

	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

// sample is how many requests each release had served, Seconds after the first sample.
type sample struct {
	Seconds float64          `json:"seconds"`
	Served  map[string]int64 `json:"served"`
}

// mark is something that was said at a moment.
type mark struct {
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

// film samples what users meet, so that a picture can be drawn of it (make picture).
type film struct {
	users *witness.Witness
	began time.Time
	done  chan struct{}
	wait  sync.WaitGroup

	mutex   sync.Mutex
	samples []sample
	marks   []mark
}

const betweenSamples = 200 * time.Millisecond

func startFilm(users *witness.Witness) *film {
	f := &film{users: users, began: time.Now(), done: make(chan struct{})}
	f.wait.Go(f.run)
	return f
}

func (f *film) run() {
	tick := time.NewTicker(betweenSamples)
	defer tick.Stop()
	for {
		select {
		case <-f.done:
			return
		case <-tick.C:
			f.take()
		}
	}
}

func (f *film) take() {
	served := map[string]int64{}
	for release, r := range f.users.Snapshot().Releases {
		served[release] = r.Count
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.samples = append(f.samples, sample{Seconds: time.Since(f.began).Seconds(), Served: served})
}

func (f *film) mark(text string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.marks = append(f.marks, mark{Seconds: time.Since(f.began).Seconds(), Text: text})
}

func (f *film) stop() ([]sample, []mark) {
	close(f.done)
	f.wait.Wait()
	return f.samples, f.marks
}
