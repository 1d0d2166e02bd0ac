package daemon

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const envPrefix = "SESSIONCAST_"

// keyVariable holds one cluster key. It is no option: it has no flag and no key in the file, so that nothing that prints
// options can print it.
const keyVariable = envPrefix + "KEY"

// binaryVariable tells the npm package where the program is, and the program nothing.
const binaryVariable = envPrefix + "BINARY"

// runtimeVariable is the one folder in which sockets of daemons are made and looked for, for who wants to see no others. It is no option, as all commands have
// to know it.
const runtimeVariable = envPrefix + "RUNTIME_DIR"

// field is what the tags of an Options field say.
type field struct {
	name  string
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
}

// fields lists the options in the order they are documented in.
var fields = listFields(reflect.TypeFor[Options](), nil)

// bridgeFields are those that a bridge has besides. The file and the environment may hold them for all commands.
var bridgeFields = listFields(reflect.TypeFor[Originals](), nil)

func listFields(t reflect.Type, at []int) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(slices.Clone(at), i)
		if f.Anonymous {
			out = append(out, listFields(f.Type, index)...)
			continue
		}
		out = append(out, field{name: f.Tag.Get("name"), index: index, typ: f.Type, tag: f.Tag})
	}
	return out
}

func fieldNamed(name string) (field, bool) {
	for _, list := range [][]field{fields, bridgeFields} {
		if i := slices.IndexFunc(list, func(f field) bool { return f.name == name }); i >= 0 {
			return list[i], true
		}
	}
	return field{}, false
}

func fieldNames() []string {
	var names []string
	for _, f := range slices.Concat(fields, bridgeFields) {
		names = append(names, f.name)
	}
	return names
}

// variable is the environment variable of an option.
func variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func (f field) isList() bool { return f.typ.Kind() == reflect.Slice }

// check reads texts as the field's value and says what is wrong with them.
func (f field) check(texts []string) error {
	if f.isList() && len(texts) == 0 {
		return f.checkEmpty()
	}
	if !f.isList() && len(texts) != 1 {
		return fmt.Errorf("a list, where one value is wanted")
	}
	for _, text := range texts {
		if _, err := f.parse(text); err != nil {
			return err
		}
	}
	return nil
}

// checkEmpty says what is wrong with a value that is nothing, if anything is.
func (f field) checkEmpty() error {
	switch {
	case f.tag.Get("empty") == "ok":
		return nil
	case f.isList():
		return fmt.Errorf("an empty list: leave it out for the default, or write \"off\"")
	}
	return fmt.Errorf("an empty value: give %s, or leave the option out for the default (%s)", f.tag.Get("placeholder"), f.tag.Get("shown"))
}

// parse reads one text as the field's value, or as one of its values where it is a list.
func (f field) parse(text string) (reflect.Value, error) {
	t := f.typ
	if f.isList() {
		t = t.Elem()
	}
	v := reflect.New(t)
	if u, ok := v.Interface().(encoding.TextUnmarshaler); ok {
		return v.Elem(), u.UnmarshalText([]byte(text))
	}
	if t.Kind() == reflect.Bool {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return v.Elem(), fmt.Errorf("%q is neither true nor false: write one of the two", text)
		}
		v.Elem().SetBool(b)
		return v.Elem(), nil
	}
	if text == "" {
		return v.Elem(), f.checkEmpty()
	}
	v.Elem().SetString(text)
	return v.Elem(), nil
}

// texts writes the field's value in o, one text for each value of a list; nil where nothing is set.
func (f field) texts(o *Options) []string {
	v := reflect.ValueOf(o).Elem().FieldByIndex(f.index)
	if !f.isList() {
		if s := fmt.Sprint(v.Interface()); s != "" {
			return []string{s}
		}
		return nil
	}
	var out []string
	for i := range v.Len() {
		out = append(out, fmt.Sprint(v.Index(i).Interface()))
	}
	return out
}
