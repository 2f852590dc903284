package plan

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Validate returns what contradicts itself in a Stack's spec beyond what the schema can refuse, each with what to do.
func Validate(stack *v1alpha1.Stack) []string {
	var found []string
	for _, s := range stack.Spec.Slots {
		if s.Namespace == stack.Namespace {
			found = append(found, fmt.Sprintf("slot %s is the Stack's own namespace %s; a slot needs a namespace of its own, such as %s-%s", s.Name, s.Namespace, stack.Namespace, s.Name))
		}
	}
	if _, err := regexp.Compile(stack.Spec.Start.Pattern); err != nil {
		found = append(found, fmt.Sprintf("spec.start.pattern is not a regular expression: %v", err))
	}
	if len(stack.Spec.Source.Inline) > 0 && stack.Spec.Start.When != "" && stack.Spec.Start.When != v1alpha1.StartManual {
		found = append(found, fmt.Sprintf("start.when is %s, which watches a repository, and the source is inline; set start.when: Manual", stack.Spec.Start.When))
	}
	found = append(found, sameRoutes(stack)...)
	if cycle := Cycle(stack.Spec.Members); cycle != nil {
		found = append(found, fmt.Sprintf("members depend on each other in a circle (%s); remove one dependsOn", strings.Join(cycle, " → ")))
	}
	return found
}

// dnsLasts is how long an answer of the cluster's DNS may be kept: CoreDNS says 30 s where it is not told otherwise.
const dnsLasts = 30 * time.Second

// Warn returns what a team should know of its Stack that is no contradiction, each with what to do.
func Warn(stack *v1alpha1.Stack) []string {
	var found []string
	if n := len(stack.Spec.Entries); n > 1 {
		var names []string
		for _, e := range stack.Spec.Entries {
			names = append(names, e.Name)
		}
		found = append(found, fmt.Sprintf("%d entries are switched one after the other (%s): from the first write to the last, users of some are on the new release and users of others on the old one; put first whoever must not be behind. The time is measured: kubectl lockstep status", n, strings.Join(names, ", ")))
	}
	for _, e := range stack.Spec.Entries {
		found = append(found, warnOf(stack, e)...)
	}
	return found
}

func warnOf(stack *v1alpha1.Stack, e v1alpha1.Entry) []string {
	var found []string
	if e.Service != nil {
		found = append(found, fmt.Sprintf("entry %s is an ExternalName Service: callers follow it as their DNS caches and open connections let them, after the switch too; and a caller in the preview slot that goes through it meets the live slot. Within a slot call the Service by its short name", e.Name))
		if d := stack.Spec.Sessions.DrainTimeout; d != nil && d.Duration < dnsLasts {
			found = append(found, fmt.Sprintf("entry %s is followed by DNS, whose answers are kept for up to %s, and sessions.drainTimeout is %s: callers may be cut; make it longer", e.Name, dnsLasts, d.Duration))
		}
	}
	if p := e.Preview; p != nil && p.Hostname != "" && e.HTTPRoute != nil {
		found = append(found, fmt.Sprintf("the preview's hostname of entry %s is an HTTPRoute of its own, written after the entry's: it sends everything to Service %s, and not by the rules of the entry's route", e.Name, e.Backend.Service))
	}
	return found
}

// Cycle returns members that depend on each other in a circle, the first one repeated at the end, or nil.
func Cycle(members []v1alpha1.Member) []string {
	next := map[string][]v1alpha1.Dependency{}
	for _, m := range members {
		next[m.Name] = m.DependsOn
	}
	done := map[string]bool{}
	for _, m := range members {
		if cycle := walk(m.Name, next, done, nil); cycle != nil {
			return cycle
		}
	}
	return nil
}

func walk(name string, next map[string][]v1alpha1.Dependency, done map[string]bool, path []string) []string {
	for i, seen := range path {
		if seen == name {
			return append(path[i:len(path):len(path)], name)
		}
	}
	if done[name] {
		return nil
	}
	for _, d := range next[name] {
		if cycle := walk(d.Name, next, done, append(path, name)); cycle != nil {
			return cycle
		}
	}
	done[name] = true
	return nil
}

func (p *planner) validate() bool {
	if found := Validate(&p.s.Stack); len(found) > 0 {
		p.invalid = &Problem{Reason: v1alpha1.ReasonInvalidSpec, Message: strings.Join(found, "; ")}
		p.stalled = p.invalid
		return p.begun()
	}
	return true
}

// begun is whether something was released already: that goes on, and can be left, while nothing new may start.
func (p *planner) begun() bool { return p.u.Route != nil && !p.untouched() }

// readable has nothing new start while a slot cannot be read. What is under way, and the way back, ask for the slots that
// they need themselves.
func (p *planner) readable() bool {
	problem := p.unread()
	if problem == nil {
		return true
	}
	p.stalled = problem
	p.wakeIn(retryAfter)
	return p.begun()
}

// unread is the first slot of which nothing is known.
func (p *planner) unread() *Problem {
	for _, s := range p.s.Slots {
		if s.Problem != nil {
			return s.Problem
		}
	}
	return p.unlisted(p.u.LiveSlot)
}
