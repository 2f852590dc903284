package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Graph is who calls whom in a Stack, as found in its content, next to what is declared.
type Graph struct {
	Stack string `json:"stack"`
	// From says where the content was found.
	From    string   `json:"from"`
	Members []Caller `json:"members"`
	Calls   []Call   `json:"calls"`
	// Cycles are circles of calls; each begins and ends with the same member.
	Cycles [][]string `json:"cycles,omitempty"`
	// Suggestions are members as they could stand in spec.members.
	Suggestions []v1alpha1.Member `json:"suggestions,omitempty"`
	Notes       []string          `json:"notes,omitempty"`
}

// Caller is a member of the graph.
type Caller struct {
	Name     string        `json:"name"`
	Kind     string        `json:"kind"`
	Role     v1alpha1.Role `json:"role"`
	Services []string      `json:"services,omitempty"`
	// Entries that send users to it.
	Entries []string `json:"entries,omitempty"`
}

// Call is that one member calls another, or is said to depend on it.
type Call struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Declared is whether spec.members[].dependsOn says so.
	Declared bool `json:"declared"`
	// Found says where the content names a Service of the other member.
	Found []Mention `json:"found,omitempty"`
	// Cycle is whether the call is part of a circle.
	Cycle bool `json:"cycle,omitempty"`
}

// Mention is where a Service is named.
type Mention struct {
	Service string `json:"service"`
	Where   string `json:"where"`
	// Sure is whether it is named as a host; otherwise it is only a word that may be one.
	Sure bool `json:"sure"`
}

// sure is whether the call is declared or certainly found.
func (c Call) sure() bool {
	return c.Declared || slices.ContainsFunc(c.Found, func(m Mention) bool { return m.Sure })
}

// GraphInput is what a Graph is made of.
type GraphInput struct {
	Stack v1alpha1.Stack
	From  string
	// Objects of one slot, as rendered or as found in it.
	Objects []*unstructured.Unstructured
	Notes   []string
}

// Calls makes the Graph of a Stack.
func Calls(in GraphInput) *Graph {
	g := &Graph{Stack: in.Stack.Name, From: in.From, Members: callers(in), Calls: []Call{}, Notes: in.Notes}
	found := mentions(in, g.Members)
	for _, caller := range g.Members {
		declared := declaredOf(&in.Stack, caller.Name)
		for _, called := range g.Members {
			call := Call{From: caller.Name, To: called.Name, Declared: slices.Contains(declared, called.Name), Found: found[caller.Name+" "+called.Name]}
			if called.Name != caller.Name && (call.Declared || len(call.Found) > 0) {
				g.Calls = append(g.Calls, call)
			}
		}
	}
	g.markCycles()
	g.Suggestions = g.suggest(&in.Stack)
	return g
}

func callers(in GraphInput) []Caller {
	var out []Caller
	for _, o := range in.Objects {
		if podTemplate(o) == nil {
			continue
		}
		c := Caller{Name: o.GetName(), Kind: o.GetKind(), Role: roleIn(&in.Stack, o)}
		for _, service := range in.Objects {
			if selects(service, o) {
				c.Services = append(c.Services, service.GetName())
			}
		}
		for _, e := range in.Stack.Spec.Entries {
			if slices.Contains(c.Services, e.Backend.Service) {
				c.Entries = append(c.Entries, e.Name)
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Caller) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind)) })
	return slices.CompactFunc(out, func(a, b Caller) bool { return a.Name == b.Name })
}

func roleIn(s *v1alpha1.Stack, o *unstructured.Unstructured) v1alpha1.Role {
	if o.GetKind() == "CronJob" {
		return v1alpha1.RoleWorker
	}
	i := slices.IndexFunc(s.Spec.Members, func(m v1alpha1.Member) bool { return m.Name == o.GetName() })
	switch {
	case i >= 0 && s.Spec.Members[i].Role != "":
		return s.Spec.Members[i].Role
	case o.GetKind() == "Job":
		return v1alpha1.RoleWorker
	}
	return v1alpha1.RoleService
}

// selects is whether a Service's selector matches the Pods of a workload.
func selects(service, workload *unstructured.Unstructured) bool {
	if service.GetKind() != "Service" || !strings.HasPrefix(service.GetAPIVersion(), "v") {
		return false
	}
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	labels, _, _ := unstructured.NestedStringMap(podTemplate(workload), "metadata", "labels")
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

func declaredOf(s *v1alpha1.Stack, member string) []string {
	var out []string
	for _, m := range s.Spec.Members {
		if m.Name == member {
			for _, d := range m.DependsOn {
				out = append(out, d.Name)
			}
		}
	}
	return out
}

// markCycles marks the calls that are part of a circle: those from whose end a way leads back to their beginning.
func (g *Graph) markCycles() {
	next := g.next()
	told := map[string]bool{}
	for i := range g.Calls {
		c := &g.Calls[i]
		way := wayBetween(next, c.To, c.From)
		if !c.sure() || way == nil {
			continue
		}
		c.Cycle = true
		circle := append([]string{c.From}, way...)
		key := strings.Join(slices.Sorted(slices.Values(way)), " ")
		if !told[key] {
			told[key] = true
			g.Cycles = append(g.Cycles, circle)
		}
	}
}

// next are the members that each one certainly calls.
func (g *Graph) next() map[string][]string {
	out := map[string][]string{}
	for _, c := range g.Calls {
		if c.sure() {
			out[c.From] = append(out[c.From], c.To)
		}
	}
	return out
}

// wayBetween is the shortest way from one member to another, both included; nil where there is none.
func wayBetween(next map[string][]string, from, to string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			return trace(came, to)
		}
		for _, n := range next[queue[0]] {
			if _, seen := came[n]; !seen {
				came[n] = queue[0]
				queue = append(queue, n)
			}
		}
	}
	return nil
}

// suggest adds to spec.members what was found and is not declared. What would close a circle is left out: dependsOn is an
// order of deployment, and there is none.
func (g *Graph) suggest(s *v1alpha1.Stack) []v1alpha1.Member {
	order := map[string][]string{}
	for _, m := range g.Members {
		order[m.Name] = declaredOf(s, m.Name)
	}
	add := map[string][]string{}
	for _, c := range g.Calls {
		if c.Declared || !c.sure() {
			continue
		}
		if wayBetween(order, c.To, c.From) != nil {
			g.Notes = append(g.Notes, c.From+" calls "+c.To+", and is not to depend on it: that would close a circle; they are deployed in parallel, or in the order that is declared")
			continue
		}
		order[c.From] = append(order[c.From], c.To)
		add[c.From] = append(add[c.From], c.To)
	}
	var out []v1alpha1.Member
	for _, name := range slices.Sorted(maps.Keys(add)) {
		out = append(out, extended(s, name, add[name]))
	}
	return out
}

func extended(s *v1alpha1.Stack, name string, more []string) v1alpha1.Member {
	m := v1alpha1.Member{Name: name}
	for _, declared := range s.Spec.Members {
		if declared.Name == name {
			m = *declared.DeepCopy()
		}
	}
	for _, to := range more {
		m.DependsOn = append(m.DependsOn, v1alpha1.Dependency{Name: to})
	}
	return m
}

func trace(came map[string]string, to string) []string {
	var way []string
	for at := to; at != ""; at = came[at] {
		way = append(way, at)
	}
	slices.Reverse(way)
	return way
}
