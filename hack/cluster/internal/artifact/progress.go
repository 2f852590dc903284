package artifact

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress writes a line when a task starts, one now and then while it runs,
// and one when it ends.
type progress struct {
	out     io.Writer
	title   string
	started time.Time
	ended   chan struct{}

	mu    sync.Mutex
	steps int
}

const progressEvery = 15 * time.Second

func newProgress(out io.Writer, title string) *progress {
	p := &progress{out: out, title: title, started: time.Now(), ended: make(chan struct{})}
	fmt.Fprintln(out, title, "…")
	go p.tick()
	return p
}

func (p *progress) tick() {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-ticker.C:
			p.mu.Lock()
			fmt.Fprintf(p.out, "%s … %s, %d packages compiled\n", p.title, seconds(time.Since(p.started)), p.steps)
			p.mu.Unlock()
		}
	}
}

// step counts a package that was compiled.
func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
}

func (p *progress) stop() {
	close(p.ended)
	fmt.Fprintf(p.out, "%s: %s\n", p.title, seconds(time.Since(p.started)))
}

func seconds(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }
