//! Functions whose mere mention marks a file as hostile.
//!
//! Nothing is ever called, so this list protects nobody by itself: it makes the refusal plain, where
//! otherwise such a file would be read as data with one odd object in it.

/// Modules through which a pickle can reach the machine.
const MODULES: &str = "_pickle _posixsubprocess aiohttp asyncio bdb cffi cloudpickle code codeop \
    commands ctypes dill distutils doctest ftplib gc httplib idlelib imaplib importlib joblib lib2to3 \
    linecache marshal mmap multiprocessing nt os paramiko pdb pickle pip pkgutil poplib popen2 posix \
    profile pty pydoc requests runpy select setuptools shelve shlex shutil signal smtplib socket \
    socketserver sqlite3 ssl subprocess sys tarfile telnetlib tempfile timeit trace urllib urllib2 \
    urllib3 venv webbrowser winreg xmlrpc zipfile zipimport";

/// Functions, and modules with all below them, of otherwise harmless packages.
const BELOW: &str = "http.client http.server io.FileIO io.open numpy.f2py numpy.fromfile numpy.load \
    numpy.loadtxt numpy.memmap numpy.savetxt numpy.testing operator.attrgetter operator.itemgetter \
    operator.methodcaller pandas.eval pandas.read_pickle torch._dynamo torch._inductor torch.compile \
    torch.hub torch.jit torch.load torch.serialization.load torch.utils.cpp_extension types.CodeType \
    types.FunctionType";

/// The only names of `builtins` that a file may mention; `getattr` names members of enumerations.
const BUILTINS: &str = "bool bytearray bytes complex dict float frozenset getattr int list long \
    object range set slice str tuple type unicode xrange Ellipsis NotImplemented";

/// Whether a file that names `module.name` is refused.
pub fn is_forbidden(module: &str, name: &str) -> bool {
    let global = format!("{module}.{name}");
    let top = global.split('.').next().unwrap_or_default();
    if matches!(top, "builtins" | "__builtin__" | "__builtins__") {
        return !BUILTINS.split_whitespace().any(|allowed| allowed == name);
    }
    // Attributes reached through an object: `x.__class__.__mro__` and the like.
    if name.split('.').any(|part| part.starts_with("__")) {
        return !matches!(name, "__newobj__" | "__newobj_ex__");
    }
    let below = |start: &str| {
        global
            .strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    MODULES.split_whitespace().any(|module| module == top) || BELOW.split_whitespace().any(below)
}
