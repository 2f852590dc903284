package view

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// GraphText prints a Graph for a terminal.
func GraphText(g *Graph, look Look) string {
	p := &page{look: look}
	p.section("STACK", []row{{{g.Stack, bold}, {"  " + g.From, dim}}})
	p.section("MEMBERS", g.memberRows())
	p.section("CALLS", g.callRows(look.Wide))
	for i, circle := range g.Cycles {
		p.section(map[bool]string{true: "CIRCLES", false: ""}[i == 0], []row{{{strings.Join(circle, " → "), red}}})
	}
	for i, note := range g.Notes {
		p.section(map[bool]string{true: "NOTES", false: ""}[i == 0], p.wrap(note, 0, yellow))
	}
	p.section("SUGGEST", g.suggestRows())
	return p.out.String()
}

func (g *Graph) memberRows() []row {
	var rows []row
	for _, m := range g.Members {
		about := m.Kind
		if m.Role != "Service" {
			about += " (" + string(m.Role) + ")"
		}
		services, entries := "", ""
		if len(m.Services) > 0 {
			services = "behind Service " + strings.Join(m.Services, ", ")
		}
		if len(m.Entries) > 0 {
			entries = "users come by entry " + strings.Join(m.Entries, ", ")
		}
		rows = append(rows, row{{m.Name, plain}, {about, dim}, {services, plain}, {entries, green}})
	}
	return align(rows)
}

func (g *Graph) callRows(wide bool) []row {
	if len(g.Calls) == 0 {
		return []row{{{"none found, none declared", dim}}}
	}
	var rows []row
	for _, c := range g.Calls {
		state, look := "declared", green
		switch {
		case !c.Declared && c.sure():
			state, look = "NOT DECLARED", yellow
		case !c.Declared:
			state, look = "perhaps", dim
		case len(c.Found) == 0:
			state, look = "declared, not found", dim
		}
		if c.Cycle {
			state, look = state+", in a circle", red
		}
		rows = append(rows, row{{c.From + " → " + c.To, plain}, {state, look}, {c.where(wide), dim}})
	}
	return align(rows)
}

func (c Call) where(wide bool) string {
	if len(c.Found) == 0 {
		return ""
	}
	if !wide && len(c.Found) > 1 {
		return c.Found[0].Where + " and " + strconv.Itoa(len(c.Found)-1) + " more"
	}
	var all []string
	for _, m := range c.Found {
		all = append(all, m.Where)
	}
	return strings.Join(all, "; ")
}

func (g *Graph) suggestRows() []row {
	if len(g.Suggestions) == 0 {
		return nil
	}
	raw, err := yaml.Marshal(map[string]any{"members": g.Suggestions})
	if err != nil {
		return []row{{{err.Error(), red}}}
	}
	rows := []row{{{"# below spec; it replaces the members of the same names", dim}}}
	for line := range strings.Lines(string(raw)) {
		rows = append(rows, row{{strings.TrimRight(line, "\n"), plain}})
	}
	return rows
}

// GraphDOT prints a Graph for Graphviz: bold what is found and declared, dashed what is only declared, dotted what is a
// guess, orange what is not declared, red what is in a circle.
func GraphDOT(g *Graph) string {
	var out strings.Builder
	fmt.Fprintf(&out, "digraph %q {\n  rankdir=LR;\n", g.Stack)
	for _, m := range g.Members {
		shape := "box"
		if m.Role != "Service" {
			shape = "component"
		}
		fmt.Fprintf(&out, "  %q [shape=%s];\n", m.Name, shape)
		for _, e := range m.Entries {
			fmt.Fprintf(&out, "  %q [shape=plaintext];\n  %q -> %q;\n", "users by "+e, "users by "+e, m.Name)
		}
	}
	for _, c := range g.Calls {
		fmt.Fprintf(&out, "  %q -> %q [%s];\n", c.From, c.To, c.attributes())
	}
	return out.String() + "}\n"
}

func (c Call) attributes() string {
	look := "style=bold"
	switch {
	case c.Declared && len(c.Found) == 0:
		look = `style=dashed, label="declared"`
	case !c.sure():
		look = `style=dotted, label="perhaps"`
	case !c.Declared:
		look = `color=orange, label="not declared"`
	}
	if !c.Cycle {
		return look
	}
	return strings.Replace(look, "color=orange, ", "", 1) + ", color=red"
}

// GraphMermaid prints a Graph for Mermaid, which Markdown of many forges shows.
func GraphMermaid(g *Graph) string {
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, m := range g.Members {
		// Names may be words that Mermaid keeps for itself, such as end.
		ids[m.Name] = "m" + strconv.Itoa(i)
		fmt.Fprintf(&out, "  %s[\"%s\"]\n", ids[m.Name], m.Name)
		for n, e := range m.Entries {
			fmt.Fprintf(&out, "  u%d_%d([\"users by %s\"]) --> %s\n", i, n, e, ids[m.Name])
		}
	}
	var circles []string
	for i, c := range g.Calls {
		fmt.Fprintf(&out, "  %s %s %s\n", ids[c.From], c.arrow(), ids[c.To])
		if c.Cycle {
			circles = append(circles, strconv.Itoa(i+g.userArrows()))
		}
	}
	if len(circles) > 0 {
		fmt.Fprintf(&out, "  linkStyle %s stroke:red\n", strings.Join(circles, ","))
	}
	return out.String()
}

// userArrows are the arrows that come before those of calls.
func (g *Graph) userArrows() int {
	n := 0
	for _, m := range g.Members {
		n += len(m.Entries)
	}
	return n
}

func (c Call) arrow() string {
	switch {
	case c.Declared && len(c.Found) == 0:
		return "-. declared .->"
	case !c.sure():
		return "-. perhaps .->"
	case !c.Declared:
		return "-- not declared -->"
	}
	return "==>"
}
