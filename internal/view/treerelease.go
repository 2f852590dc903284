package view

import (
	"cmp"
	"fmt"
)

func (p *page) active(m *Model) []row {
	a := m.Active
	if a == nil {
		return nil
	}
	head := row{{a.Name, bold}}
	if version := revisionOf(a.Release); version != "" {
		head = append(head, cell{"  " + version, plain})
	}
	if a.Slot != "" {
		head = append(head, cell{"  in " + a.Slot, plain})
	}
	if a.Started != nil {
		head = append(head, cell{"  started " + Age(m.Now.Time, *a.Started) + " ago", dim})
	}
	return append([]row{head}, p.steps(m, a)...)
}

// steps are printed one after the other, in as many lines as they need.
func (p *page) steps(m *Model, a *Active) []row {
	var rows []row
	line, used := row{}, gutter
	for _, s := range a.Steps {
		c := p.step(m, a, s)
		if p.look.Width > 0 && len(line) > 0 && used+len([]rune(c.text)) > p.look.Width {
			rows, line, used = append(rows, line), row{}, gutter
		}
		line, used = append(line, c), used+len([]rune(c.text))
	}
	return append(rows, line)
}

func (p *page) step(m *Model, a *Active, s Step) cell {
	name := string(s.Kind)
	switch s.Mark {
	case MarkDone:
		return cell{"✓ " + name + "  ", green}
	case MarkCurrent:
		return cell{"▶ " + name + current(m, a) + "  ", yellow}
	case MarkLeft:
		return cell{"– " + name + "  ", dim}
	case MarkNext:
	}
	return cell{"· " + name + "  ", dim}
}

func current(m *Model, a *Active) string {
	age := Age(m.Now.Time, a.Since)
	if a.Attempt > 1 {
		return fmt.Sprintf(" (%s, attempt %d)", cmp.Or(age, "?"), a.Attempt)
	}
	if age == "" {
		return ""
	}
	return " (" + age + ")"
}
