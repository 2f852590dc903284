package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

type schema = apiextensionsv1.JSONSchemaProps

// meta are fields that every kind has, and that say nothing about this one.
var meta = []string{"apiVersion", "kind", "metadata"}

// printer writes a heading and a table for each object, the outermost first.
type printer struct{ out strings.Builder }

func (p *printer) definition(crd *apiextensionsv1.CustomResourceDefinition) {
	kind := crd.Spec.Names.Kind
	for _, v := range crd.Spec.Versions {
		root := v.Schema.OpenAPIV3Schema
		fmt.Fprintf(&p.out, "\n## %s\n\n`%s/%s`, %s.\n\n%s\n", kind, crd.Spec.Group, v.Name, scope(crd), oneLine(root.Description))
		p.rules(root)
		for _, name := range fields(root) {
			child := root.Properties[name]
			p.object(kind+"."+name, &child)
		}
	}
}

func scope(crd *apiextensionsv1.CustomResourceDefinition) string {
	if crd.Spec.Scope == apiextensionsv1.ClusterScoped {
		return "one for the whole cluster"
	}
	return "in a namespace"
}

// object writes a table of its fields, and then those of the objects in it.
func (p *printer) object(path string, s *schema) {
	fmt.Fprintf(&p.out, "\n### %s\n\n%s\n", path, oneLine(s.Description))
	p.rules(s)
	if len(s.Properties) == 0 {
		return
	}
	p.out.WriteString("\n| Field | Type | Default | What it is |\n|---|---|---|---|\n")
	for _, name := range fields(s) {
		child := s.Properties[name]
		p.row(path+"."+name, name, slices.Contains(s.Required, name), &child)
	}
	for _, name := range fields(s) {
		child := s.Properties[name]
		if inner, at := nested(&child, path+"."+name); inner != nil {
			p.object(at, inner)
		}
	}
}

func (p *printer) row(path, name string, required bool, s *schema) {
	shown := "`" + name + "`"
	if required {
		shown = "**" + shown + "**"
	}
	kind := typeOf(s)
	if inner, at := nested(s, path); inner != nil {
		kind = fmt.Sprintf("[%s](#%s)", kind, anchor(at))
	}
	text := oneLine(s.Description)
	if bounds := bounds(s); bounds != "" {
		text = strings.TrimSpace(text + " " + bounds)
	}
	fmt.Fprintf(&p.out, "| %s | %s | %s | %s |\n", shown, kind, defaultOf(s), cell(text))
}

// rules lists what the fields of an object must fulfil together.
func (p *printer) rules(s *schema) {
	for i, rule := range s.XValidations {
		if i == 0 {
			p.out.WriteString("\n")
		}
		fmt.Fprintf(&p.out, "- Rule: %s\n", cell(orText(rule.Message, "`"+oneLine(rule.Rule)+"`")))
	}
}

// nested is the object that a field holds, alone or in a list, and where it is described.
func nested(s *schema, path string) (*schema, string) {
	switch {
	case s.Type == "object" && len(s.Properties) > 0:
		return s, path
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		return nested(s.Items.Schema, path+"[]")
	}
	return nil, ""
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.NewReplacer(".", "", "[", "", "]", "").Replace(strings.ToLower(heading))
}

func fields(s *schema) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Properties)), func(name string) bool {
		return slices.Contains(meta, name) && s.Properties["spec"].Type != ""
	})
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// cell keeps a text from ending its cell, or from being read as HTML.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(oneLine(text))
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
