package option

import "testing"

func TestParse(t *testing.T) {
	rows := make(map[string]Option)
	for _, o := range Table() {
		rows[o.Name] = o
	}
	for _, tt := range []struct {
		name, text string
		want       Value
		err        string
	}{
		{"genus", "Escherichia", Value{Text: "Escherichia"}, ""},
		{"genus", "", Value{}, ""},
		{"derm_type", "-", Value{Text: Diderm}, ""},
		{"derm_type", " Monoderm", Value{Text: Monoderm}, ""},
		{"derm_type", "gram", Value{}, `"gram" is not valid; choose one of ?, +, -, unknown, monoderm, diderm`},
		{"translation_table", " 4 ", Value{Number: 4}, ""},
		{"translation_table", "4.0", Value{}, `"4.0" is not a whole number`},
		{"complete_genome", "YES", Value{On: true}, ""},
		{"complete_genome", "False", Value{}, ""},
		{"skip_plot", "1", Value{On: true}, ""},
		{"skip_plot", "maybe", Value{}, `"maybe" is not valid; write true or false`},
	} {
		got, err := rows[tt.name].Parse(tt.text)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if got != tt.want || said != tt.err {
			t.Errorf("%s %q: %+v, %q; want %+v, %q", tt.name, tt.text, got, said, tt.want, tt.err)
		}
	}
}
