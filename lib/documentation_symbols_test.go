package lib_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// symbol is an exported Go name in backticks: package.Name, or package.Type.Member.
var symbol = regexp.MustCompile(`^([a-z][a-z0-9]*)\.([A-Z]\w*)(?:\.([A-Z]\w*))?$`)

// TestSymbols checks that each exported Go name in backticks whose package is one of this repository exists there.
func TestSymbols(t *testing.T) {
	declared := declarations(t)
	symbols := 0
	for _, pattern := range documents {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			for _, m := range codeSpan.FindAllStringSubmatch(readFile(t, file), -1) {
				parts := symbol.FindStringSubmatch(m[1])
				if parts == nil || declared[parts[1]] == nil {
					continue
				}
				symbols++
				name := parts[2]
				if parts[3] != "" {
					name += "." + parts[3]
				}
				if !declared[parts[1]][name] {
					t.Errorf("%s names %s, which does not exist", file, m[1])
				}
			}
		}
	}
	if symbols == 0 {
		t.Error("found no symbols")
	}
}

// declarations returns, by the name of each package of the repository, what it declares: Name, Type.Field and Type.Method. A
// method is there by its own name, too. Packages of the same name are taken together.
func declarations(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := make(map[string]map[string]bool)
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".pb.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name := file.Name.Name
		if all[name] == nil {
			all[name] = make(map[string]bool)
		}
		for _, d := range file.Decls {
			declare(all[name], d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(all, "main")
	return all
}

func declare(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		names[d.Name.Name] = true
		if d.Recv != nil {
			receiver := d.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if id, ok := receiver.(*ast.Ident); ok {
				names[id.Name+"."+d.Name.Name] = true
			}
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					names[id.Name] = true
				}
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
				var members *ast.FieldList
				switch typ := spec.Type.(type) {
				case *ast.StructType:
					members = typ.Fields
				case *ast.InterfaceType:
					members = typ.Methods
				}
				if members == nil {
					continue
				}
				for _, field := range members.List {
					for _, id := range field.Names {
						names[spec.Name.Name+"."+id.Name] = true
					}
				}
			}
		}
	}
}
