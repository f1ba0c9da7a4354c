//! The stack machine.

use std::collections::HashMap;

use super::super::error::FormatError;
use super::super::input::Input;
use super::super::tree::{Id, Record, Tree, Value};
use super::forbidden::is_forbidden;
use super::{known, op};

/// Turns the identifier that a file gives to something kept outside its pickle into a value.
pub type PersistentIds<'a> = dyn FnMut(&mut Tree, Id) -> Result<Id, FormatError> + 'a;

/// Reads one pickle that begins where `input` is and leaves `input` behind it.
///
/// # Errors
/// If the pickle is damaged, too large, or names a function that could act on the machine.
pub fn read(
    tree: &mut Tree,
    input: &mut Input,
    persistent: &mut PersistentIds<'_>,
) -> Result<Id, FormatError> {
    Machine {
        tree,
        input,
        persistent,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    }
    .run()
}

struct Machine<'a, 'b> {
    tree: &'a mut Tree,
    input: &'a mut Input,
    persistent: &'a mut PersistentIds<'b>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine<'_, '_> {
    fn run(mut self) -> Result<Id, FormatError> {
        loop {
            let start = self.input.position();
            let code = self.input.byte()?;
            if code == op::STOP {
                return self.pop();
            }
            self.step(code).map_err(|error| match error {
                FormatError::Invalid(reason) => FormatError::Invalid(format!(
                    "{reason} (operation {code:#04x} at byte {start} of the pickle)"
                )),
                other => other,
            })?;
        }
    }

    fn step(&mut self, code: u8) -> Result<(), FormatError> {
        match code {
            op::PROTO => {
                let version = self.input.byte()?;
                if version > 5 {
                    return Err(FormatError::invalid(format!(
                        "pickle protocol {version}: protocols up to 5 are known"
                    )));
                }
            }
            op::FRAME => {
                let length = u64::from_le_bytes(self.input.array()?);
                if length > self.input.left() {
                    let end = self.input.position() + self.input.left();
                    return Err(FormatError::Truncated(end));
                }
            }
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => {
                // Python pops a mark if that is on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            op::POP_MARK => {
                self.pop_to_mark()?;
            }
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            op::NONE => self.push(Value::None)?,
            op::NEWTRUE => self.push(Value::Bool(true))?,
            op::NEWFALSE => self.push(Value::Bool(false))?,
            op::BININT => {
                let number = i32::from_le_bytes(self.input.array()?);
                self.push(Value::Int(number.into()))?;
            }
            op::BININT1 => {
                let number = self.input.byte()?;
                self.push(Value::Int(number.into()))?;
            }
            op::BININT2 => {
                let number = u16::from_le_bytes(self.input.array()?);
                self.push(Value::Int(number.into()))?;
            }
            op::LONG1 => {
                let length = self.input.byte()?;
                self.long(length.into())?;
            }
            op::LONG4 => {
                let length = self.length32()?;
                self.long(length)?;
            }
            op::INT | op::LONG => self.decimal()?,
            op::BINFLOAT => {
                let number = f64::from_be_bytes(self.input.array()?);
                self.push(Value::Float(number))?;
            }
            op::FLOAT => {
                let line = self.line()?;
                let number = line
                    .parse()
                    .map_err(|_| FormatError::invalid(format!("`{line}` is no number")))?;
                self.push(Value::Float(number))?;
            }
            _ => return self.step_data(code),
        }
        Ok(())
    }

    /// Texts, bytes and containers.
    fn step_data(&mut self, code: u8) -> Result<(), FormatError> {
        match code {
            op::SHORT_BINUNICODE => {
                let length = self.input.byte()?;
                self.unicode(length.into())?;
            }
            op::BINUNICODE => {
                let length = self.length32()?;
                self.unicode(length)?;
            }
            op::BINUNICODE8 => {
                let length = u64::from_le_bytes(self.input.array()?);
                self.unicode(length)?;
            }
            op::UNICODE => {
                let line = self.input.line()?;
                self.push(Value::Text(raw_unicode_escape(&line)?))?;
            }
            op::STRING => {
                let line = self.input.line()?;
                let bytes = quoted(&line)?;
                self.python2_string(bytes)?;
            }
            op::SHORT_BINSTRING => {
                let length = self.input.byte()?;
                self.binstring(length.into())?;
            }
            op::BINSTRING => {
                let length = self.length32()?;
                self.binstring(length)?;
            }
            op::SHORT_BINBYTES => {
                let length = self.input.byte()?;
                self.bytes(length.into())?;
            }
            op::BINBYTES => {
                let length = self.length32()?;
                self.bytes(length)?;
            }
            op::BINBYTES8 | op::BYTEARRAY8 => {
                let length = u64::from_le_bytes(self.input.array()?);
                self.bytes(length)?;
            }
            op::EMPTY_TUPLE | op::EMPTY_LIST | op::EMPTY_SET => self.push_list(Vec::new())?,
            op::TUPLE1 => self.tuple(1)?,
            op::TUPLE2 => self.tuple(2)?,
            op::TUPLE3 => self.tuple(3)?,
            op::TUPLE | op::LIST | op::FROZENSET => {
                let entries = self.pop_to_mark()?;
                self.push_list(entries)?;
            }
            op::EMPTY_DICT => self.push(Value::Dict(Vec::new()))?,
            op::DICT => {
                let entries = self.pop_to_mark()?;
                let dict = self.push_new(Value::Dict(Vec::new()))?;
                self.set_items(dict, &entries)?;
            }
            op::APPEND => {
                let entry = self.pop()?;
                let list = self.top()?;
                self.append(list, &[entry])?;
            }
            op::APPENDS | op::ADDITEMS => {
                let entries = self.pop_to_mark()?;
                let list = self.top()?;
                self.append(list, &entries)?;
            }
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                let dict = self.top()?;
                self.set_items(dict, &[key, value])?;
            }
            op::SETITEMS => {
                let entries = self.pop_to_mark()?;
                let dict = self.top()?;
                self.set_items(dict, &entries)?;
            }
            _ => return self.step_object(code),
        }
        Ok(())
    }

    /// The memo, classes, calls and objects.
    fn step_object(&mut self, code: u8) -> Result<(), FormatError> {
        match code {
            op::GET => {
                let index = self.index_line()?;
                self.recall(index)?;
            }
            op::BINGET => {
                let index = self.input.byte()?;
                self.recall(index.into())?;
            }
            op::LONG_BINGET => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.recall(index)?;
            }
            op::PUT => {
                let index = self.index_line()?;
                self.remember(index)?;
            }
            op::BINPUT => {
                let index = self.input.byte()?;
                self.remember(index.into())?;
            }
            op::LONG_BINPUT => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.remember(index)?;
            }
            op::MEMOIZE => self.remember(self.memo.len() as u32)?,
            op::GLOBAL => {
                let global = self.global_lines()?;
                self.push(global)?;
            }
            op::STACK_GLOBAL => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Some(module), Some(name)) = (self.tree.text(module), self.tree.text(name))
                else {
                    return Err(FormatError::invalid("a class is not named by two texts"));
                };
                let global = global(module, name)?;
                self.push(global)?;
            }
            op::PERSID => {
                let line = self.line()?;
                let text = self.tree.add(Value::Text(line))?;
                let value = (self.persistent)(self.tree, text)?;
                self.stack.push(value);
            }
            op::BINPERSID => {
                let identifier = self.pop()?;
                let value = (self.persistent)(self.tree, identifier)?;
                self.stack.push(value);
            }
            op::REDUCE => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                let value = known::call(self.tree, callee, arguments)?;
                self.stack.push(value);
            }
            op::NEWOBJ => {
                let arguments = self.pop()?;
                let class = self.pop()?;
                let value = known::instance(self.tree, class, arguments)?;
                self.stack.push(value);
            }
            op::NEWOBJ_EX => {
                self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                let value = known::instance(self.tree, class, arguments)?;
                self.stack.push(value);
            }
            op::INST => {
                let class = self.global_lines()?;
                let class = self.tree.add(class)?;
                let arguments = self.pop_to_mark()?;
                self.push_list(arguments)?;
                let arguments = self.pop()?;
                let value = known::instance(self.tree, class, arguments)?;
                self.stack.push(value);
            }
            op::OBJ => {
                let mut entries = self.pop_to_mark()?;
                if entries.is_empty() {
                    return Err(FormatError::invalid("an object without a class"));
                }
                let class = entries.remove(0);
                self.push_list(entries)?;
                let arguments = self.pop()?;
                let value = known::instance(self.tree, class, arguments)?;
                self.stack.push(value);
            }
            op::BUILD => {
                let state = self.pop()?;
                let object = self.top()?;
                known::build(self.tree, object, state)?;
            }
            op::EXT1 | op::EXT2 | op::EXT4 => {
                return Err(FormatError::invalid(
                    "a class is named by a number of Python's extension registry, which only the program that wrote the file knows",
                ));
            }
            op::NEXT_BUFFER | op::READONLY_BUFFER => {
                return Err(FormatError::invalid(
                    "numbers are kept outside the pickle (out-of-band buffers): save it again without `buffer_callback`",
                ));
            }
            _ => return Err(FormatError::invalid("this is no operation of a pickle")),
        }
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), FormatError> {
        self.push_new(value).map(|_| ())
    }

    fn push_new(&mut self, value: Value) -> Result<Id, FormatError> {
        let id = self.tree.add(value)?;
        self.stack.push(id);
        Ok(id)
    }

    fn push_list(&mut self, entries: Vec<Id>) -> Result<(), FormatError> {
        self.tree.link(entries.len())?;
        self.push(Value::List(entries))
    }

    fn top(&self) -> Result<Id, FormatError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if self.stack.len() > floor => Ok(id),
            _ => Err(FormatError::invalid("a value is missing on the stack")),
        }
    }

    fn pop(&mut self) -> Result<Id, FormatError> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, FormatError> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| FormatError::invalid("a mark is missing on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, length: usize) -> Result<(), FormatError> {
        let mut entries = Vec::with_capacity(length);
        for _ in 0..length {
            entries.push(self.pop()?);
        }
        entries.reverse();
        self.push_list(entries)
    }

    fn append(&mut self, list: Id, entries: &[Id]) -> Result<(), FormatError> {
        self.tree.link(entries.len())?;
        match self.tree.get_mut(list) {
            Value::List(list) | Value::Record(Record { elements: list, .. }) => {
                list.extend_from_slice(entries);
                Ok(())
            }
            other => Err(FormatError::invalid(format!(
                "{} cannot be appended to",
                other.kind()
            ))),
        }
    }

    fn set_items(&mut self, dict: Id, entries: &[Id]) -> Result<(), FormatError> {
        self.tree.link(entries.len())?;
        let (pairs, rest) = entries.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(FormatError::invalid("a key without a value"));
        }
        match self.tree.get_mut(dict) {
            Value::Dict(items) | Value::Record(Record { items, .. }) => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            other => Err(FormatError::invalid(format!(
                "{} cannot hold items",
                other.kind()
            ))),
        }
    }

    fn recall(&mut self, index: u32) -> Result<(), FormatError> {
        let id = *self
            .memo
            .get(&index)
            .ok_or_else(|| FormatError::invalid(format!("nothing is remembered as {index}")))?;
        self.stack.push(id);
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), FormatError> {
        let id = self.top()?;
        self.memo.insert(index, id);
        Ok(())
    }

    fn length32(&mut self) -> Result<u64, FormatError> {
        Ok(u32::from_le_bytes(self.input.array()?).into())
    }

    fn line(&mut self) -> Result<String, FormatError> {
        String::from_utf8(self.input.line()?)
            .map_err(|_| FormatError::invalid("a line is not UTF-8"))
    }

    fn index_line(&mut self) -> Result<u32, FormatError> {
        let line = self.line()?;
        line.trim()
            .parse()
            .map_err(|_| FormatError::invalid(format!("`{line}` is no index")))
    }

    fn global_lines(&mut self) -> Result<Value, FormatError> {
        let module = self.line()?;
        let name = self.line()?;
        global(&module, &name)
    }

    fn unicode(&mut self, length: u64) -> Result<(), FormatError> {
        let bytes = self.input.text(length)?;
        // Python allows lone surrogates in texts; they stand in no name of ours.
        self.push(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn bytes(&mut self, length: u64) -> Result<(), FormatError> {
        let span = self.input.skip(length)?;
        self.push(Value::Bytes(span))
    }

    fn binstring(&mut self, length: u64) -> Result<(), FormatError> {
        let span = self.input.skip(length)?;
        if length > 1 << 16 {
            return self.push(Value::Bytes(span));
        }
        let bytes = span.read()?;
        match String::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(_) => self.push(Value::Bytes(span)),
        }
    }

    /// What Python 2 called a string is text or raw bytes; nothing says which.
    fn python2_string(&mut self, bytes: Vec<u8>) -> Result<(), FormatError> {
        match String::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(error) => {
                let span = known::memory(self.tree, error.into_bytes())?;
                self.push(Value::Bytes(span))
            }
        }
    }

    fn long(&mut self, length: u64) -> Result<(), FormatError> {
        let bytes = self.input.text(length)?;
        self.push(integer(bytes))
    }

    fn decimal(&mut self) -> Result<(), FormatError> {
        let line = self.line()?;
        let value = match line.as_str() {
            "00" => Value::Bool(false),
            "01" => Value::Bool(true),
            _ => {
                let digits = line.trim().trim_end_matches('L');
                match digits.parse::<i64>() {
                    Ok(number) => Value::Int(number),
                    Err(_) => match digits.parse::<i128>() {
                        Ok(number) => integer(number.to_le_bytes().to_vec()),
                        Err(_) => {
                            return Err(FormatError::invalid(format!("`{line}` is no number")));
                        }
                    },
                }
            }
        };
        self.push(value)
    }
}

/// Longest name of a class with its module.
const MAX_GLOBAL: usize = 512;

fn global(module: &str, name: &str) -> Result<Value, FormatError> {
    if module.len() + name.len() > MAX_GLOBAL {
        return Err(FormatError::Limit {
            what: "letters of a class's name",
            limit: MAX_GLOBAL as u64,
        });
    }
    if is_forbidden(module, name) {
        return Err(FormatError::Code(format!("{module}.{name}")));
    }
    Ok(Value::Global(format!("{module}.{name}")))
}

/// Two's complement, little-endian.
fn integer(bytes: Vec<u8>) -> Value {
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        0xff
    } else {
        0
    };
    let mut low = [fill; 8];
    let count = bytes.len().min(8);
    low[..count].copy_from_slice(&bytes[..count]);
    let number = i64::from_le_bytes(low);
    let fits = bytes[count..].iter().all(|&byte| byte == fill)
        && (bytes.len() <= 8 || (number < 0) == (fill == 0xff));
    if fits {
        Value::Int(number)
    } else {
        Value::Long(bytes)
    }
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX` for everything else.
fn raw_unicode_escape(line: &[u8]) -> Result<String, FormatError> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = match (byte, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(byte));
                rest = after;
                continue;
            }
        };
        let letter = after
            .get(1..1 + digits)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .ok_or_else(|| FormatError::invalid("a text holds a broken escape"))?;
        text.push(char::from_u32(letter).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &after[1 + digits..];
    }
    Ok(text)
}

/// A Python literal in quotes: the escapes that Python's `repr` of bytes writes.
fn quoted(line: &[u8]) -> Result<Vec<u8>, FormatError> {
    let broken = || FormatError::invalid("a text is not in quotes");
    let line = line.trim_ascii();
    let (&quote, rest) = line.split_first().ok_or_else(broken)?;
    let (&last, mut rest) = rest.split_last().ok_or_else(broken)?;
    if quote != last || !matches!(quote, b'\'' | b'"') {
        return Err(broken());
    }
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first().ok_or_else(broken)?;
        rest = after;
        bytes.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let hex = rest.get(..2).ok_or_else(broken)?;
                rest = &rest[2..];
                let hex = std::str::from_utf8(hex).map_err(|_| broken())?;
                u8::from_str_radix(hex, 16).map_err(|_| broken())?
            }
            b'\\' | b'\'' | b'"' => escape,
            _ => return Err(broken()),
        });
    }
    Ok(bytes)
}
