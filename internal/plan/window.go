package plan

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// WroteKey is the key of the Observation that an entry was written, by its name. It is no part of the status: the window is.
func WroteKey(entry string) string { return wrote + entry }

const wrote = "wrote/"

// open begins to measure how far apart the entries are written. With one entry there is nothing to measure.
func (p *planner) open(intent *v1alpha1.RouteIntent) {
	if p.users() > 1 {
		p.u.Window = &v1alpha1.SwitchWindow{Epoch: intent.Epoch, Live: intent.Live, Since: metav1.NewMicroTime(p.now.Truncate(time.Microsecond))}
	}
}

// users is how many entries users come in through.
func (p *planner) users() int {
	n := 0
	for i := range p.s.Entries {
		if !p.s.Entries[i].Testers {
			n++
		}
	}
	return n
}

// measure takes in when entries were written. Who wrote one may have died since: it is then taken to have been written as
// early and as late as it can have been, so that the window is never told shorter than it was.
func (p *planner) measure() {
	w := p.u.Window
	if w == nil || w.Milliseconds != nil || p.u.Route == nil || (w.Epoch != p.u.Route.Epoch && w.Live != p.u.Route.Live) {
		return
	}
	closed := true
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		switch {
		case e.Testers:
		case !p.carries(e):
			closed = false
		case !p.landed(e) || w.First == nil:
			p.writtenAt(w, e.Name)
		}
	}
	if closed && w.First != nil {
		ms := int64((w.Last.Sub(w.First.Time) + time.Millisecond - 1) / time.Millisecond)
		w.Milliseconds = &ms
	}
}

func (p *planner) writtenAt(w *v1alpha1.SwitchWindow, entry string) {
	first, last := w.Since, metav1.NewMicroTime(p.now.Truncate(time.Microsecond))
	for _, o := range p.s.Results {
		if o.Key == WroteKey(entry) && o.OK && !o.At.Time.Before(w.Since.Time) {
			first = metav1.NewMicroTime(o.At.Truncate(time.Microsecond))
			last = first
		}
	}
	if w.First == nil || first.Time.Before(w.First.Time) {
		w.First = &first
	}
	if w.Last == nil || last.After(w.Last.Time) {
		w.Last = &last
	}
}

// passing is whether an Observation is of use in the plan that it comes in with, and in no later one.
func passing(o v1alpha1.Observation) bool { return o.OK && strings.HasPrefix(o.Key, wrote) }
