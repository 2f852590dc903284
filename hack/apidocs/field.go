package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// typeOf names the type of a field for people.
func typeOf(s *schema) string {
	switch {
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		return "list of " + typeOf(s.Items.Schema)
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(s.AdditionalProperties.Schema)
	case s.Format == "date-time":
		return "time"
	case s.XIntOrString:
		return "integer or string"
	}
	return s.Type
}

func defaultOf(s *schema) string {
	if s.Default == nil {
		return ""
	}
	return "`" + cell(strings.Trim(string(s.Default.Raw), `"`)) + "`"
}

// bounds says in sentences which values a field takes.
func bounds(s *schema) string {
	var all []string
	for _, say := range []func(*schema) string{enum, number, length, items, pattern, keys} {
		if text := say(s); text != "" {
			all = append(all, text+".")
		}
	}
	all = append(all, inline(s)...)
	if s.Type == "array" && s.Items != nil && s.Items.Schema != nil && len(s.Items.Schema.Properties) == 0 {
		if each := bounds(s.Items.Schema); each != "" {
			all = append(all, "Each: "+each)
		}
	}
	return strings.Join(all, " ")
}

// inline are the rules of a field that has no heading of its own to list them under.
func inline(s *schema) []string {
	if inner, _ := nested(s, ""); inner != nil && s.Type == "object" {
		return nil
	}
	var all []string
	for _, rule := range s.XValidations {
		all = append(all, "Rule: "+orText(rule.Message, "`"+rule.Rule+"`")+".")
	}
	return all
}

func enum(s *schema) string {
	values := valuesOf(s)
	for i := range s.AllOf {
		values = narrow(values, valuesOf(&s.AllOf[i]))
	}
	if len(values) == 0 {
		return ""
	}
	return "One of " + strings.Join(values, ", ")
}

func valuesOf(s *schema) []string {
	var values []string
	for _, v := range s.Enum {
		values = append(values, "`"+strings.Trim(string(v.Raw), `"`)+"`")
	}
	return values
}

// narrow keeps the values that both lists allow; an empty list allows all.
func narrow(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	return slices.DeleteFunc(a, func(value string) bool { return !slices.Contains(b, value) })
}

func number(s *schema) string {
	low, high := "", ""
	if s.Minimum != nil {
		low = strconv.FormatFloat(*s.Minimum, 'f', -1, 64)
	}
	if s.Maximum != nil {
		high = strconv.FormatFloat(*s.Maximum, 'f', -1, 64)
	}
	return between(low, high, "")
}

func length(s *schema) string { return between(count(s.MinLength), count(s.MaxLength), " character") }

func items(s *schema) string { return between(count(s.MinItems), count(s.MaxItems), " item") }

func count(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func between(low, high, what string) string {
	if last := orText(high, low); what != "" && last != "1" {
		what += "s"
	}
	switch {
	case low == "" && high == "":
		return ""
	case high == "":
		return fmt.Sprintf("At least %s%s", low, what)
	case low == "":
		return fmt.Sprintf("At most %s%s", high, what)
	case low == high:
		return fmt.Sprintf("Exactly %s%s", low, what)
	}
	return fmt.Sprintf("%s to %s%s", low, high, what)
}

func pattern(s *schema) string {
	if s.Pattern == "" {
		return ""
	}
	return "Pattern `" + s.Pattern + "`"
}

func keys(s *schema) string {
	if len(s.XListMapKeys) == 0 {
		return ""
	}
	return "Unique by `" + strings.Join(s.XListMapKeys, "`, `") + "`"
}
