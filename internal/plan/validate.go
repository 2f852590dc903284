package plan

import (
	"fmt"
	"regexp"
	"strings"

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
	if len(stack.Spec.Source.Inline) > 0 && stack.Spec.Start.On != "" && stack.Spec.Start.On != v1alpha1.StartManual {
		found = append(found, fmt.Sprintf("start.on is %s, which watches a repository, and the source is inline; set start.on: Manual", stack.Spec.Start.On))
	}
	if cycle := Cycle(stack.Spec.Members); cycle != nil {
		found = append(found, fmt.Sprintf("members depend on each other in a circle (%s); remove one dependsOn", strings.Join(cycle, " → ")))
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
		p.stalled = &Problem{Reason: v1alpha1.ReasonInvalidSpec, Message: strings.Join(found, "; ")}
		return p.abortable()
	}
	return true
}

// abortable lets what is under way go on, or be aborted, while nothing new may start.
func (p *planner) abortable() bool { return p.u.ActiveRelease != "" && p.u.Route != nil }

// readable has nothing new start while a slot cannot be read. What is under way, and the way back, ask for the slots that
// they need themselves.
func (p *planner) readable() bool {
	for _, s := range p.s.Slots {
		if s.Problem != nil {
			p.stalled = s.Problem
			p.wakeIn(retryAfter)
			return p.u.Route != nil && !p.untouched()
		}
	}
	return true
}
