// Command generate makes everything that is generated from proto/: the Go types, the gRPC and REST stubs, the
// Swagger 2 documents, and the OpenAPI 3.1 documents, which it writes itself. With -check it changes nothing and fails when it would have.
//
// It compiles the proto files itself and passes them to the plugins that this module pins as its tools, so it needs only Go.
// It reads the imported proto files (google/api, grpc-gateway's options) from the descriptors in their Go packages, which
// the generated code also links.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/status"
)

func main() {
	check := flag.Bool("check", false, "change nothing; fail if a generated file is not what it should be")
	root := flag.String("root", "..", "directory of the repository")
	flag.Parse()
	if err := run(context.Background(), *root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// plugin is one generator. Output paths are relative to the repository's root.
type plugin struct {
	name      string
	parameter func(dir string) string
	rest      bool // only for files with a REST form
	documents bool // it writes documents, and reads the options for them
}

// plugins lists the generators. Each is run once for each directory of proto files.
func plugins() []plugin {
	relative := func(string) string { return "paths=source_relative" }
	return []plugin{
		{"protoc-gen-go", relative, false, false},
		{"protoc-gen-go-grpc", relative, false, false},
		{"protoc-gen-grpc-gateway", relative, true, false},
		{"protoc-gen-openapiv2", func(dir string) string {
			return "allow_merge=true,preserve_rpc_order=true,disable_default_errors=true" + spelling(dir) + ",merge_file_name=" + dir + "/openapi"
		}, true, true},
	}
}

// spelling returns the options with which a document has the names of the API's JSON. The first version has lowerCamelCase
// and enums with a value zero; later ones have the names of the proto files, and enums without a value zero.
func spelling(dir string) string {
	if dir == "proto/v1" {
		return ""
	}
	return ",json_names_for_fields=false,omit_enum_default_value=true"
}

// endings of the files that the generators write. Another file with one of them is stale.
func endings() []string { return []string{".pb.go", ".pb.gw.go", document, openAPI31} }

// document is the ending of a Swagger 2 document's name.
const document = ".swagger.json"

func run(ctx context.Context, root string, check bool) error {
	dirs, err := sources(root)
	if err != nil {
		return err
	}
	made := make(map[string][]byte)
	for _, dir := range dirs {
		if err := generate(ctx, root, dir, made); err != nil {
			return err
		}
	}
	stale, err := strays(root, made)
	if err != nil {
		return err
	}
	if check {
		return compare(root, made, stale)
	}
	return write(root, made, stale)
}

// directory is a directory with proto files. All paths are relative to the root and have slashes.
type directory struct {
	path  string
	files []string
}

func sources(root string) ([]directory, error) {
	var dirs []directory
	err := fs.WalkDir(os.DirFS(root), "proto", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".proto") {
			return err
		}
		dir := path[:strings.LastIndex(path, "/")]
		if n := len(dirs); n == 0 || dirs[n-1].path != dir {
			dirs = append(dirs, directory{path: dir})
		}
		last := &dirs[len(dirs)-1]
		last.files = append(last.files, path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for proto files: %w", err)
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no proto files below %s", filepath.Join(root, "proto"))
	}
	return dirs, nil
}

// generate runs the generators for one directory and adds their files to made.
func generate(ctx context.Context, root string, dir directory, made map[string][]byte) error {
	compiler := protocompile.Compiler{
		Resolver: protocompile.CompositeResolver{
			&protocompile.SourceResolver{ImportPaths: []string{root}},
			protocompile.ResolverFunc(linked),
		},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, dir.files...)
	if err != nil {
		return fmt.Errorf("compiling %s: %w", dir.path, err)
	}
	for _, p := range plugins() {
		input, err := p.input(compiled)
		if err != nil {
			return fmt.Errorf("preparing %s for %s: %w", dir.path, p.name, err)
		}
		files, err := p.run(ctx, root, &pluginpb.CodeGeneratorRequest{
			FileToGenerate: p.files(compiled),
			Parameter:      proto.String(p.parameter(dir.path)),
			ProtoFile:      input,
		})
		if err != nil {
			return fmt.Errorf("running %s for %s: %w", p.name, dir.path, err)
		}
		for _, f := range files {
			content := f.GetContent()
			if strings.HasSuffix(f.GetName(), document) {
				content = words(compiled).Replace(content)
			}
			made[f.GetName()] = []byte(content)
		}
	}
	made[dir.path+"/"+openAPI31], err = openAPI(dir.path, compiled)
	return err
}

// words changes the values of enums in a document to those of our JSON, which the generator does not know: in lower case
// and without the enum's name. This is done for enums whose values begin with their names, as protobuf's style requires.
func words(compiled linker.Files) *strings.Replacer {
	var pairs []string
	for _, file := range compiled {
		for i := range file.Enums().Len() {
			values := file.Enums().Get(i).Values()
			prefix, styled := strings.CutSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
			for k := range values.Len() {
				if name := string(values.Get(k).Name()); styled && prefix != "" {
					word := strings.ToLower(strings.TrimPrefix(name, prefix))
					pairs = append(pairs, `"`+name+`"`, `"`+word+`"`, ` - `+name+`: `, ` - `+word+`: `) // values, and their descriptions
				}
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// files returns the names of the plugin's input files.
func (p plugin) files(compiled linker.Files) []string {
	var names []string
	for _, f := range compiled {
		if !p.rest || f.FindImportByPath("google/api/annotations.proto") != nil {
			names = append(names, f.Path())
		}
	}
	return names
}

// documentOptions is the proto file with the options for documents.
const documentOptions = "protoc-gen-openapiv2/options/annotations.proto"

// input returns the descriptors for the plugin. Go code gets descriptors without the options for documents: programs would link the types
// of these options, and keep them in memory, only to forward them to clients of gRPC's reflection.
func (p plugin) input(compiled linker.Files) ([]*descriptorpb.FileDescriptorProto, error) {
	files := closure(compiled)
	if p.documents {
		return files, nil
	}
	for i, f := range files {
		at := slices.Index(f.GetDependency(), documentOptions)
		if at < 0 {
			continue
		}
		content, err := proto.Marshal(f) // the compiler may have options as unknown fields
		if err != nil {
			return nil, err
		}
		files[i] = new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(content, files[i]); err != nil {
			return nil, err
		}
		files[i].Dependency = slices.Delete(files[i].Dependency, at, at+1)
		withoutDocuments(files[i].ProtoReflect())
	}
	return files, nil
}

// withoutDocuments removes the options for documents from a message and from the messages in it.
func withoutDocuments(m protoreflect.Message) {
	var remove []protoreflect.FieldDescriptor
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsExtension() && field.ParentFile().Path() == documentOptions:
			remove = append(remove, field)
		case field.IsMap() || field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				withoutDocuments(value.List().Get(i).Message())
			}
		default:
			withoutDocuments(value.Message())
		}
		return true
	})
	for _, field := range remove {
		m.Clear(field)
	}
}

// linked returns a proto file from the descriptors in this program's packages.
func linked(path string) (protocompile.SearchResult, error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	return protocompile.SearchResult{Desc: file}, err
}

// closure lists files with all their imports, each after its imports, as plugins require.
func closure(files linker.Files) []*descriptorpb.FileDescriptorProto {
	var list []*descriptorpb.FileDescriptorProto
	seen := make(map[string]bool)
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		if r, ok := f.(linker.Result); ok {
			list = append(list, r.FileDescriptorProto())
		} else {
			linked := protodesc.ToFileDescriptorProto(f)
			linked.SourceCodeInfo = &descriptorpb.SourceCodeInfo{} // descriptors in Go packages have no comments
			list = append(list, linked)
		}
	}
	for _, f := range files {
		add(f)
	}
	return list
}

// run runs the plugin as a tool of this module.
func (p plugin) run(
	ctx context.Context,
	root string,
	request *pluginpb.CodeGeneratorRequest,
) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	in, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "tool", p.name)
	cmd.Dir = filepath.Join(root, "tools")
	cmd.Env = append(os.Environ(), "GOWORK=off") // the versions of this module, not those of go.work
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out.Bytes(), &response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, errors.New(response.GetError())
	}
	return response.GetFile(), nil
}

// strays lists generated files that no generator writes.
func strays(root string, made map[string][]byte) ([]string, error) {
	var stale []string
	err := fs.WalkDir(os.DirFS(root), "proto", func(path string, d fs.DirEntry, err error) error {
		generated := func(ending string) bool { return strings.HasSuffix(path, ending) }
		if err == nil && !d.IsDir() && made[path] == nil && slices.ContainsFunc(endings(), generated) {
			stale = append(stale, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for stale files: %w", err)
	}
	return stale, nil
}

// compare returns an error with all files that differ from the generated ones.
func compare(root string, made map[string][]byte, stale []string) error {
	var wrong []string
	for _, path := range stale {
		wrong = append(wrong, path+" is no longer generated")
	}
	for path, content := range made {
		have, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, path+" is missing")
		case err != nil:
			return err
		case !bytes.Equal(have, content):
			wrong = append(wrong, path+" is out of date")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("generated files are out of date; run make generate:\n  %s", strings.Join(wrong, "\n  "))
}

func write(root string, made map[string][]byte, stale []string) error {
	for _, path := range stale {
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			return err
		}
	}
	for path, content := range made {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(path)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
