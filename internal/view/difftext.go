package view

import (
	"encoding/json"
	"fmt"
	"strings"
)

// DiffText prints a Diff for a terminal.
func DiffText(d *Diff, look Look) string {
	p := &page{look: look}
	p.section("STACK", []row{{{d.Stack, bold}}})
	p.section("FROM", []row{sideRow(d.From)})
	p.section("TO", []row{sideRow(d.To)})
	p.section("IMAGES", imageRows(d.Images, look.Wide))
	p.section("OBJECTS", objectRows(d.Objects, look.Wide))
	p.section("RESULT", p.wrap(d.result(), 0, bold))
	for i, sentence := range d.Unknown {
		p.section(map[bool]string{true: "UNKNOWN", false: ""}[i == 0], p.wrap(sentence, 0, yellow))
	}
	return p.out.String()
}

func sideRow(s Side) row {
	text := s.What
	if s.Slot != "" && !strings.HasPrefix(s.What, "slot ") {
		text += "  as rendered for slot " + s.Slot
	}
	return row{{text, plain}}
}

var changeMarks = map[Change]cell{Added: {"+", green}, Removed: {"-", red}, Changed: {"~", yellow}}

func imageRows(changes []ImageChange, wide bool) []row {
	var rows []row
	for _, c := range changes {
		mark := changeMarks[c.Change]
		text := shortImages(c.From, wide)
		switch {
		case c.Change == Added:
			text = shortImages(c.To, wide)
		case c.Change == Changed && !wide && shortImages(c.To, false) == text:
			text = shortImages(c.From, true) + " → " + shortImages(c.To, true) // they differ in what is left out
		case c.Change == Changed:
			text += " → " + shortImages(c.To, wide)
		}
		rows = append(rows, row{{mark.text + " " + c.Member, mark.style}, {text, plain}})
	}
	return align(rows)
}

func objectRows(changes []ObjectChange, wide bool) []row {
	var rows []row
	for _, c := range changes {
		mark := changeMarks[c.Change]
		rows = append(rows, row{{mark.text + " " + c.Kind + "/" + c.Name, mark.style}})
		for _, f := range c.Fields {
			rows = append(rows, f.row(wide))
		}
	}
	return rows
}

func (f FieldChange) row(wide bool) row {
	mark := changeMarks[f.Change]
	text := ""
	switch {
	case f.Hidden:
	case f.Change == Added:
		text = ": " + shortValue(f.To, wide)
	case f.Change == Removed:
		text = ": " + shortValue(f.From, wide)
	case f.To == nil:
		text = ": " + fmt.Sprint(f.From)
	default:
		text = ": " + shortValue(f.From, wide) + " → " + shortValue(f.To, wide)
	}
	return row{{"    " + mark.text + " " + f.Path, mark.style}, {text, plain}}
}

// maxValue is how much of a value is shown, unless all of it is asked for.
const maxValue = 60

func shortValue(value any, wide bool) string {
	raw, err := json.Marshal(value)
	text := string(raw)
	if err != nil {
		text = fmt.Sprint(value)
	}
	if s, ok := value.(string); ok && !strings.ContainsAny(s, "\n\t") && s != "" {
		text = s
	}
	if wide {
		return text
	}
	return cut(text, maxValue)
}

func (d *Diff) result() string {
	switch {
	case d.byDigestAlone() && len(d.Images) == 0:
		return "the content differs, as its digests tell; the images are the same"
	case d.byDigestAlone():
		return "the content differs, as the images and the digests tell"
	case d.Differs:
		return "differs in " + count(len(d.Images), "image") + " and " + count(len(d.Objects), "object")
	case d.From.Objects == nil || d.To.Objects == nil:
		return d.withoutObjects()
	case len(d.Unknown) > 0:
		return "no difference, in what could be compared"
	}
	return "no difference"
}

func (d *Diff) withoutObjects() string {
	if d.sameDigest() {
		return "no difference, as the digests tell; they leave sizes out"
	}
	return "the images are the same; objects could not be compared"
}

func count(n int, what string) string { return fmt.Sprintf("%d %s%s", n, what, plural(n)) }
