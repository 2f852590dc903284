package view

import (
	"strings"
	"unicode/utf8"
)

// Look says how text is laid out.
type Look struct {
	// Width of the terminal; 0 where there is none, and lines may be as long as they are.
	Width int
	// Color is whether ANSI colours may be used.
	Color bool
	// Wide shows whole images and namespaces.
	Wide bool
}

type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

type cell struct {
	text  string
	style style
}

type row []cell

// gutter is the width of the labels at the left.
const gutter = 9

// page is text in the making: sections with a label at the left, and rows beside it.
type page struct {
	look Look
	out  strings.Builder
}

// section prints rows with a label before the first. Nothing is printed where there are no rows.
func (p *page) section(label string, rows []row) {
	for i, r := range rows {
		if i > 0 {
			label = ""
		}
		p.line(append(row{{pad(label, gutter), bold}}, r...))
	}
}

func (p *page) blank() { p.out.WriteByte('\n') }

func (p *page) line(r row) {
	left := p.look.Width
	last := len(r) - 1
	for last > 0 && strings.TrimSpace(r[last].text) == "" {
		last--
	}
	for i, c := range r[:last+1] {
		text := HarmlessLine(c.text)
		if i == last {
			text = strings.TrimRight(text, " ")
		}
		if p.look.Width > 0 {
			text = cut(text, left)
			left -= utf8.RuneCountInString(text)
		}
		p.out.WriteString(p.paint(text, c.style))
	}
	p.out.WriteByte('\n')
}

func (p *page) paint(text string, s style) string {
	if !p.look.Color || s == plain || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// wrap breaks a sentence into rows that fit beside the gutter and the indent.
func (p *page) wrap(text string, indent int, s style) []row {
	room := p.look.Width - gutter - indent
	if p.look.Width <= 0 {
		room = 100
	}
	var rows []row
	for _, line := range fill(text, max(room, 20)) {
		rows = append(rows, row{{strings.Repeat(" ", indent) + line, s}})
	}
	return rows
}

func fill(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width <= 0 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

// align pads the cells of rows so that they stand in columns, two spaces apart. A column that is empty in every row is
// left out.
func align(rows []row) []row {
	widths := map[int]int{}
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	out := make([]row, len(rows))
	for n, r := range rows {
		for i, c := range r {
			if widths[i] > 0 {
				out[n] = append(out[n], cell{pad(c.text, widths[i]+2), c.style})
			}
		}
	}
	return out
}
