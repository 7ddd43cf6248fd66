//! What compose projects pin: the images that their files name, and that the next `docker compose up` will pull, whether or not
//! a container exists now. <https://docs.docker.com/reference/compose-file/>
//!
//! Files, overrides, `extends`, `include`, variables and `.env` are resolved by compose's own rules; services of every profile
//! count. What cannot be resolved for certain is an error with file and line, never a guess: nothing is then written.

mod dotenv;
mod interpolate;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ocird_model::UseKind;

use self::dotenv::Variables;
use self::interpolate::interpolate;
use crate::in_use::reference::is_image;
use crate::in_use::source::Mention;
use crate::yaml::{Fault, Node, read_text};

/// The names of a project's file, the first found counts.
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// The names of the file that is laid over it.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];
/// How far `extends` and `include` may lead.
const MAX_DEPTH: usize = 16;

/// A variable of the process's own environment.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Every image that a project pins. `path` is a compose file or a directory with one.
pub fn mentions(path: &Path, environment: &Environment<'_>) -> Result<Vec<Mention>, Fault> {
    let mut mentions = BTreeSet::new();
    Project::open(path, environment, &[])?.collect(environment, MAX_DEPTH, &mut mentions)?;
    Ok(mentions.into_iter().collect())
}

/// A project: its files, each read, and the variables of its directory.
struct Project {
    directory: PathBuf,
    files: Vec<Arc<File>>,
    /// From the project's own directory first, then those of whoever includes it, which win.
    variables: Vec<(PathBuf, Variables)>,
}

struct File {
    path: PathBuf,
    root: Arc<Node>,
}

/// A service of one file.
struct Service {
    file: Arc<File>,
    name: String,
    node: Arc<Node>,
}

impl Project {
    /// Reads a project with the variables of those that include it.
    fn open(
        path: &Path,
        environment: &Environment<'_>,
        outer: &[(PathBuf, Variables)],
    ) -> Result<Self, Fault> {
        let directory = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let mut project =
            Self { directory: directory.to_owned(), files: Vec::new(), variables: outer.to_vec() };
        project.read_variables(environment)?;
        let paths = if path.is_dir() { project.default_files(environment)? } else { vec![path.to_owned()] };
        for path in paths {
            let root = Node::read(&path)?;
            project.files.push(Arc::new(File { path, root }));
        }
        Ok(project)
    }

    /// `.env`, or the files that `COMPOSE_ENV_FILES` names in its place.
    fn read_variables(&mut self, environment: &Environment<'_>) -> Result<(), Fault> {
        let named = environment("COMPOSE_ENV_FILES");
        let files: Vec<PathBuf> = match &named {
            Some(named) => named.split(',').map(|name| self.directory.join(name.trim())).collect(),
            None => vec![self.directory.join(".env")].into_iter().filter(|path| path.exists()).collect(),
        };
        let mut variables = Variables::new();
        for path in &files {
            let fault = |line, what| Fault { file: path.clone(), line, what };
            let text = read_text(path).map_err(|what| fault(1, what))?;
            let outer = |name: &str| self.variable(name, environment);
            variables.extend(dotenv::read(&text, &outer).map_err(|(line, what)| fault(line, what))?);
        }
        let path = files.into_iter().next().unwrap_or_else(|| self.directory.join(".env"));
        self.variables.push((path, variables));
        Ok(())
    }

    /// The files of a project that is named by its directory.
    fn default_files(&self, environment: &Environment<'_>) -> Result<Vec<PathBuf>, Fault> {
        let fault = |what: String| Fault { file: self.directory.clone(), line: 1, what };
        if let Some(named) = self.variable("COMPOSE_FILE", environment).map_err(fault)? {
            let separator = self.variable("COMPOSE_PATH_SEPARATOR", environment).map_err(fault)?;
            let separator = separator.filter(|text| !text.is_empty()).unwrap_or_else(|| ":".to_owned());
            return Ok(named.split(separator.as_str()).map(|name| self.directory.join(name)).collect());
        }
        let first =
            |names: &[&str]| names.iter().map(|name| self.directory.join(name)).find(|path| path.exists());
        let main = first(&FILES).ok_or_else(|| fault(format!("holds none of {}", FILES.join(", "))))?;
        Ok(std::iter::once(main).chain(first(&OVERRIDES)).collect())
    }

    /// A variable: the process's own environment goes first, then whoever includes the project, then its own `.env`.
    fn variable(&self, name: &str, environment: &Environment<'_>) -> Result<Option<String>, String> {
        if let Some(value) = environment(name) {
            return Ok(Some(value));
        }
        let known = self.variables.iter().find_map(|(path, known)| Some((path, known.get(name)?)));
        match known {
            None => Ok(None),
            Some((_, Ok(value))) => Ok(Some(value.clone())),
            Some((path, Err((line, what)))) => Err(format!("{}:{line}: {what}", path.display())),
        }
    }

    fn resolved(
        &self,
        file: &File,
        node: &Node,
        environment: &Environment<'_>,
    ) -> Result<Option<String>, Fault> {
        let Some(text) = node.text() else { return Ok(None) };
        let lookup = |name: &str| self.variable(name, environment);
        interpolate(text, &lookup).map(Some).map_err(|what| file.fault(node, what))
    }

    fn collect(
        &self,
        environment: &Environment<'_>,
        depth: usize,
        mentions: &mut BTreeSet<Mention>,
    ) -> Result<(), Fault> {
        let project = self.name(environment)?;
        for (name, image) in self.images(environment)? {
            let by = format!("compose project {project}, service {name}");
            mentions.insert(Mention { image, digest: None, by, kind: UseKind::Running });
        }
        for file in &self.files {
            for included in file.root.get("include").iter().flat_map(Node::items) {
                self.include(file, &included, environment, depth, mentions)?;
            }
        }
        Ok(())
    }

    /// `include`: a path, or a mapping with one path or several. Each is a project of its own.
    fn include(
        &self,
        file: &File,
        included: &Arc<Node>,
        environment: &Environment<'_>,
        depth: usize,
        mentions: &mut BTreeSet<Mention>,
    ) -> Result<(), Fault> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(file.fault(included, "includes lead too far".to_owned()));
        };
        for key in ["project_directory", "env_file"] {
            if let Some(node) = included.get(key) {
                return Err(file.fault(&node, format!("an include with {key} is not understood")));
            }
        }
        let path = included.get("path").unwrap_or_else(|| Arc::clone(included));
        if path.is_list() && path.items().len() > 1 {
            return Err(file.fault(&path, "an include of several files at once is not understood".to_owned()));
        }
        let item = path.items().into_iter().next().unwrap_or(path);
        let Some(path) = self.resolved(file, &item, environment)? else {
            return Err(file.fault(&item, "an include without a path".to_owned()));
        };
        let path = file.directory().join(path);
        Self::open(&path, environment, &self.variables)?.collect(environment, depth, mentions)
    }

    /// The name of the project, for people.
    fn name(&self, environment: &Environment<'_>) -> Result<String, Fault> {
        let fault = |what| Fault { file: self.directory.clone(), line: 1, what };
        if let Some(name) = self.variable("COMPOSE_PROJECT_NAME", environment).map_err(fault)? {
            return Ok(name);
        }
        for file in self.files.iter().rev() {
            if let Some(node) = file.root.get("name")
                && let Some(name) = self.resolved(file, &node, environment)?
            {
                return Ok(name);
            }
        }
        let directory = std::path::absolute(&self.directory).unwrap_or_else(|_| self.directory.clone());
        Ok(directory.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned()))
    }

    /// The images of each service, by its name: its own, of several files the last that says one, and whatever is mounted.
    fn images(&self, environment: &Environment<'_>) -> Result<Vec<(String, String)>, Fault> {
        let mut images = BTreeMap::new();
        let mut mounted = Vec::new();
        let mut without: BTreeMap<String, Fault> = BTreeMap::new();
        let mut needs_none = BTreeSet::new();
        for file in &self.files {
            let services = file.root.get("services").map(|services| services.entries()).unwrap_or_default();
            for (name, node) in services {
                let fault = file.fault(&node, format!("service {name} has neither image nor build"));
                let service = Service { file: Arc::clone(file), name: name.clone(), node };
                let lineage = self.lineage(service, environment)?;
                for service in &lineage {
                    let images = self.mounted(service, environment)?;
                    mounted.extend(images.into_iter().map(|image| (name.clone(), image)));
                }
                match self.image(&lineage, environment)? {
                    Image::Named(image) => drop(images.insert(name, image)),
                    Image::Local => drop(needs_none.insert(name)),
                    Image::Unsaid => drop(without.entry(name).or_insert(fault)),
                }
            }
        }
        let missing =
            without.into_iter().find(|(name, _)| !images.contains_key(name) && !needs_none.contains(name));
        missing.map_or(Ok(()), |(_, fault)| Err(fault))?;
        Ok(images.into_iter().chain(mounted).collect())
    }

    /// The image of a service: the first of its lineage that names one says which.
    fn image(&self, lineage: &[Service], environment: &Environment<'_>) -> Result<Image, Fault> {
        for Service { file, name: _, node } in lineage {
            if let Some(written) = node.get("image")
                && let Some(image) = self.resolved(file, &written, environment)?
            {
                return file.image(&written, image).map(Image::Named);
            }
        }
        let is_local =
            |service: &Service| ["build", "provider"].iter().any(|key| service.node.get(key).is_some());
        Ok(if lineage.iter().any(is_local) { Image::Local } else { Image::Unsaid })
    }

    /// The images that a service mounts.
    fn mounted(&self, service: &Service, environment: &Environment<'_>) -> Result<Vec<String>, Fault> {
        let Service { file, name: _, node } = service;
        let mut images = Vec::new();
        for volume in node.get("volumes").iter().flat_map(Node::items) {
            let Some(kind) = volume.get("type") else { continue };
            if self.resolved(file, &kind, environment)?.as_deref() != Some("image") {
                continue;
            }
            let source = volume.get("source").unwrap_or_else(|| Arc::clone(&volume));
            let written = self.resolved(file, &source, environment)?.unwrap_or_default();
            images.push(file.image(&source, written)?);
        }
        Ok(images)
    }

    /// A service, the one that it extends, the one that this extends, and so on.
    fn lineage(&self, service: Service, environment: &Environment<'_>) -> Result<Vec<Service>, Fault> {
        let mut lineage = vec![service];
        while let Some(last) = lineage.last()
            && let Some(extends) = last.node.get("extends")
        {
            if lineage.len() > MAX_DEPTH {
                return Err(last.file.fault(&extends, "extends lead too far".to_owned()));
            }
            let extended = self.extended(last, &extends, environment)?;
            lineage.push(extended);
        }
        Ok(lineage)
    }

    /// The service that another one extends, in the same file or another.
    fn extended(
        &self,
        service: &Service,
        extends: &Arc<Node>,
        environment: &Environment<'_>,
    ) -> Result<Service, Fault> {
        let file = &service.file;
        let fault = |what: String| file.fault(extends, what);
        let named = extends.get("service").unwrap_or_else(|| Arc::clone(extends));
        let Some(name) = self.resolved(file, &named, environment)? else {
            return Err(fault(format!("service {} extends nothing that is named", service.name)));
        };
        let other = match extends.get("file") {
            None => Arc::clone(file),
            Some(node) => {
                let path = self.resolved(file, &node, environment)?;
                let path = file.directory().join(path.unwrap_or_default());
                let root = Node::read(&path)?;
                Arc::new(File { path, root })
            }
        };
        match other.root.get("services").and_then(|services| services.get(&name)) {
            Some(node) => Ok(Service { file: other, name, node }),
            None => Err(fault(format!("{} has no service {name}", other.path.display()))),
        }
    }
}

/// What a service says of its image.
enum Image {
    /// It pulls this one.
    Named(String),
    /// It is built here, or needs none.
    Local,
    /// Nothing; another file may.
    Unsaid,
}

impl File {
    fn fault(&self, node: &Node, what: String) -> Fault {
        Fault { file: self.path.clone(), line: node.line, what }
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// A text of this file as the name of an image.
    fn image(&self, node: &Node, text: String) -> Result<String, Fault> {
        if is_image(&text) {
            Ok(text)
        } else {
            Err(self.fault(node, format!("{text:?} is not the name of an image")))
        }
    }
}

#[cfg(test)]
mod tests;
